"""Run commands and say what they cost.

JSON {commands, parallel, env, timeout, log} on stdin, JSON on stdout. A process of its own, and
small: a child's peak memory starts at that of the process it was forked from.
"""

import json
import os
import signal
import subprocess
import sys
import time

job = json.load(sys.stdin)
todo, running, codes, expired = list(job["commands"]), {}, [], []
env = dict(os.environ, **job["env"])


def machine_cpu():
    """Return the busy seconds of all cores since boot.

    Without interrupts: the traffic of the loopback is among them.
    """
    with open("/proc/stat") as f:
        return sum(map(int, f.readline().split()[1:4])) / os.sysconf("SC_CLK_TCK")


def expire(*_):
    expired.append(True)
    todo.clear()
    for pid in running:
        os.killpg(pid, signal.SIGKILL)  # each command leads a group of its own


signal.signal(signal.SIGALRM, expire)
signal.setitimer(signal.ITIMER_REAL, job["timeout"])
cpu, rss, busy, began = 0.0, 0, machine_cpu(), time.monotonic()
with open(job["log"], "ab") as log:
    while todo or running:
        while todo and len(running) < job["parallel"]:
            p = subprocess.Popen(
                todo.pop(0),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=env,
                start_new_session=True,
            )
            running[p.pid] = p
        pid, status, use = os.wait4(-1, 0)
        running.pop(pid).returncode = os.waitstatus_to_exitcode(status)
        codes.append(os.waitstatus_to_exitcode(status))
        cpu += use.ru_utime + use.ru_stime
        rss = max(rss, use.ru_maxrss)
json.dump(
    {
        "wall": time.monotonic() - began,
        "cpu": cpu,
        "rss_mib": rss / 1024,
        "machine_cpu": machine_cpu() - busy,
        "expired": bool(expired),
        "failed": sum(c != 0 for c in codes),
        "codes": sorted(set(codes)),
    },
    sys.stdout,
)
