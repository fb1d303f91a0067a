"""Measure replicate and its rivals on one machine, in turn.

    python -m benchmarks.peers --tools regsync,crane,ours --scenarios a,b --rounds 3 --out FILE
    python -m benchmarks.peers --show FILE

Requests are counted in the registries' own logs, bytes read are the blob bodies that the source
served, bytes written are what the destination's process wrote to its files. Times are of a machine
that the registries share. Results are merged into --out, so that a measurement can be split.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from benchmarks.peers.contender import measure, tell
from benchmarks.peers.registry import DockerRegistry
from benchmarks.peers.scenarios import chosen
from benchmarks.peers.tables import tables
from benchmarks.peers.tools import TOOLS, exe

_MEMORY = "/dev/shm"  # noqa: S108
_QUICK = "a,b,c100,d,e,f"


def main():
    args = _arguments()
    for each in (signal.SIGTERM, signal.SIGINT):
        # Through `finally`, so that no registry is left behind.
        signal.signal(each, lambda *_: sys.exit("stopped"))
    if args.show:
        print("\n".join(tables(json.loads(args.show.read_text()))))
        return
    found = args.out and args.out.exists()
    results = json.loads(args.out.read_text()) if found else {"tools": {}, "scenarios": {}}
    results |= _machine(args)
    tools = list(_installed(args.tools))
    for each in tools:
        results["tools"][each.name] = {"version": _version(each), "settings": each.settings}
    for scenario in chosen(args.scenarios):
        try:
            measured = measure(scenario, tools, args)
        except FileNotFoundError as error:
            tell(f"{scenario.key} left out: {error}")
            continue
        entry = {"title": scenario.title, "tools": {}}
        results["scenarios"].setdefault(scenario.key, entry)["tools"].update(measured)
        if args.out:
            args.out.write_text(json.dumps(results, separators=(",", ":")))
    print("\n".join(tables(results)))


def _arguments():
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--tools", default=",".join(TOOLS))
    words.add_argument(
        "--scenarios",
        help="a, b, c (c100, c1000), d, e, f, fa, fw, g, h (hb, hc, hd), i, j,"
        " t (ta, tb, tc); all by default",
    )
    words.add_argument("--rounds", type=int)
    words.add_argument("--quick", action="store_true", help=f"two rounds of {_QUICK}")
    words.add_argument(
        "--slow",
        type=float,
        default=20,
        help="a tool that needs more seconds than this for a round gets no other",
    )
    words.add_argument("--timeout", type=float, default=180, help="seconds for one run of a tool")
    words.add_argument("--server", help="a distribution binary other than Debian's docker-registry")
    words.add_argument(
        "--dir",
        default=_MEMORY if os.path.isdir(_MEMORY) else None,
        help="where registries keep their data: in memory if possible, as they sync each blob to "
        "disk, and on a disk that is what one measures",
    )
    words.add_argument("--out", type=Path, help="JSON file")
    words.add_argument("--keep", action="store_true", help="keep the tools' files and logs")
    words.add_argument("--show", type=Path, help="print the tables of a JSON file")
    args = words.parse_args()
    args.scenarios = args.scenarios or (_QUICK if args.quick else "all")
    args.rounds = args.rounds or (2 if args.quick else 3)
    return args


def _machine(args):
    probe = DockerRegistry("probe", args.server, parent=args.dir)
    try:
        said = subprocess.run([probe.binary, "--version"], capture_output=True, text=True).stdout
    finally:
        probe.stop(wipe=True)
    return {"cores": os.cpu_count(), "server": said.split("/")[-1].strip()}


def _installed(names):
    for each in map(TOOLS.get, names.split(",")):
        try:
            exe(each.version[0])
        except FileNotFoundError as error:
            tell(f"left out: {error}")
        else:
            yield each


def _version(tool):
    command = [exe(tool.version[0]), *tool.version[1:]]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return "not found"
    lines = (said.stdout + said.stderr).splitlines()
    first = next((line for line in lines if any(map(str.isdigit, line))), "")
    return first.strip() if said.returncode == 0 else "not told"


if __name__ == "__main__":
    main()
