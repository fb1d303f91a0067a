"""One large blob over a long link: how much several connections gain.

    python -m benchmarks.far_blobs [--mib 512] [--tools ours,crane] [--rounds 3]

The source makes up its bytes; between it and the tool is a proxy that delays each direction by
25 ms and lets 50 MiB/s pass on each connection, which is what a window of 2.5 MiB makes of such a
link. The destination is near, and forgets what it gets. The last line of each tool is the same copy
without the proxy's delay and cap, so that it can be seen that a near link costs no request more.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import threading
import time

from benchmarks.forgetful_registry import Image, serve
from benchmarks.peers.delay import DelayProxy
from benchmarks.peers.tools import exe

_DELAY = 0.025
_EACH = 50 << 20


def main():
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--mib", type=int, default=512)
    words.add_argument("--tools", default="ours,crane")
    words.add_argument("--rounds", type=int, default=3)
    args = words.parse_args()
    source, destination = _started((Image("v1", args.mib << 20, seed=1),)), _started(())
    far = DelayProxy(source, note=True, each=True)
    print("| tool | link | requests to the source | wall s |\n|---|---|---|---|")
    for tool in args.tools.split(","):
        for link, delay, rate in (("far", _DELAY, _EACH), ("near", 0.0, 0)):
            far.delay, far.rate = delay, rate
            costs = [_measured(tool, far, destination) for _ in range(args.rounds)]
            requests, seconds = zip(*costs, strict=True)
            print(
                f"| {tool} | {link} | {max(requests)} | {statistics.median(seconds):.2f} |",
                flush=True,
            )


def _started(images):
    server = serve(images)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"127.0.0.1:{server.server_port}"


def _measured(tool, far, destination):
    """Return how many requests the source got, and how many seconds it took."""
    seen = len(far.requests)
    source, copy = f"{far.host}/bench/large:v1", f"{destination}/bench/large:v1"
    with tempfile.TemporaryDirectory() as folder:
        command = (
            [exe("crane"), "copy", "--insecure", source, copy]
            if tool == "crane"
            else [exe("replicate"), "copy", source, copy]
        )
        began = time.perf_counter()
        done = subprocess.run(
            command, cwd=folder, env={"HOME": folder}, capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(done.stderr)
    return len(far.requests) - seen, seconds


if __name__ == "__main__":
    main()
