"""``replicate serve`` in a process of its own, with short times and armed fail-points.

    python -m tests.support.armed '{"timing": {…}, "kill": "after_claim"}' CONFIG ROLE…

What is armed is an argument and nothing of the environment, so that no production process can be.
*kill* is the step or point at which the process ends as by SIGKILL, *stop* one at which it stops
as by SIGSTOP, until somebody lets it go on; *times* passes of it do nothing.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from replicator.cli.serving import serve_until_told
from replicator.cli.session import Session
from replicator.config import load_config
from replicator.config.values import listen
from replicator.service.probes import Probes
from replicator.service.serving import Role
from replicator.service.timing import Timing


def main() -> None:
    armed = json.loads(sys.argv[1])
    config = load_config(Path(sys.argv[2]), os.environ)
    trap = _Trap(armed)
    probes = Probes(Timing(**armed.get("timing", {})), trap.pass_by, trap.pass_by)
    roles = frozenset(map(Role, sys.argv[3:]))
    session = Session(config_file=Path(sys.argv[2]))
    serve_until_told(session, config, listen("127.0.0.1:0", "listen"), roles, probes=probes)


class _Trap:
    """Ends or stops the process at a place."""

    def __init__(self, armed: dict[str, object]) -> None:
        self._signals = {
            armed.get("kill"): signal.SIGKILL,
            armed.get("stop"): signal.SIGSTOP,
        }
        self._passes = int(str(armed.get("times", 0)))

    def pass_by(self, place: str, /) -> None:
        if place not in self._signals:
            return
        if self._passes:
            self._passes -= 1
            return
        os.kill(os.getpid(), self._signals.pop(place))


if __name__ == "__main__":
    main()
