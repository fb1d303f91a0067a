"""What memory large copies need.

    python -m benchmarks.memory [--mib-one 2048] [--mib-many 1024] [--images 50]

Copies one image with a layer of 2 GiB, then 50 images with a layer of 1 GiB each at once, by a run
of one rule, and prints the highest resident memory of the process. The servers keep nothing: the
source makes up its bytes as they are asked for, the destination counts and forgets what it gets,
so that neither memory nor disk of this machine limits what can be measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from benchmarks.forgetful_registry import Image, serve
from benchmarks.peers.tools import exe

_MEASURE = Path(__file__).parent / "peers" / "measure.py"
# In MiB; what docs/performance.md promises.
_MOST_FOR_ONE = 120
_MOST_FOR_MANY = 150


@dataclass(frozen=True)
class _Case:
    title: str
    images: tuple[Image, ...]
    most: int


def main():
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--mib-one", type=int, default=2048)
    words.add_argument("--mib-many", type=int, default=1024)
    words.add_argument("--images", type=int, default=50)
    args = words.parse_args()
    cases = (
        _Case(f"one layer of {args.mib_one} MiB", _images(1, args.mib_one), _MOST_FOR_ONE),
        _Case(
            f"{args.images} layers of {args.mib_many} MiB at once",
            _images(args.images, args.mib_many),
            _MOST_FOR_MANY,
        ),
    )
    print("| copy | RSS MiB | aim | CPU s | wall s |\n|---|---|---|---|---|")
    for case in cases:
        cost = _measured(case)
        print(
            f"| {case.title} | {cost['rss_mib']:.0f} | ≤ {case.most} "
            f"| {cost['cpu']:.1f} | {cost['wall']:.1f} |",
            flush=True,
        )


def _images(number, mib):
    return tuple(Image(f"v{each:03}", mib << 20, seed=each) for each in range(number))


def _measured(case):
    with tempfile.TemporaryDirectory() as folder:
        ports = []
        for images in (case.images, ()):
            server = serve(images)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            ports.append(server.server_port)
        file = Path(folder) / "config.toml"
        file.write_text(_config(folder, *ports, len(case.images)))
        job = {
            "commands": [[exe("replicate"), "--config", str(file), "run"]],
            "parallel": 1,
            "env": {"HOME": folder},
            "timeout": 3600,
            "log": os.path.join(folder, "log"),
        }
        out = subprocess.run(
            [sys.executable, "-S", _MEASURE],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            check=True,
        )
        cost = json.loads(out.stdout)
        if cost["failed"]:
            sys.exit(Path(folder, "log").read_text())
        return cost


def _config(folder, source, destination, images):
    return f"""
[service]
database = "sqlite:///{folder}/replicator.db"
concurrency = {images}

[registries."127.0.0.1:{source}"]
plain_http = true
max_concurrency = 128
max_blobs = {images}

[registries."127.0.0.1:{destination}"]
plain_http = true
max_concurrency = 128
max_blobs = {images}

[[rules]]
name = "large"
source = "127.0.0.1:{source}/bench/large"
destinations = ["127.0.0.1:{destination}/bench/large"]
"""


if __name__ == "__main__":
    main()
