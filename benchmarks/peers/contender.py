"""A tool at work: its turns at one scenario, each measured and checked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.peers.delay import DelayProxy
from benchmarks.peers.registry import Certificates, DockerRegistry, Olareg
from benchmarks.peers.scenarios import faults, truth_of
from benchmarks.peers.tools import Copy, Job

_MEASURE = Path(__file__).with_name("measure.py")
# Seconds until the last lines of the access logs are written.
_LOG_SETTLES = 0.3
# Destinations with more than this many things are looked at in the first and the last round only.
_MUCH = 1500


def registry(scenario, args, name, tls):
    """Start a registry of the kind that the scenario needs."""
    if scenario.api:
        return Olareg(name, parent=args.dir)
    return DockerRegistry(name, args.server, parent=args.dir, tls=tls)


def measure(scenario, tools, args):
    """Let *tools* take turns at a scenario; returns the rounds of each."""
    tell(f"{scenario.key}: {scenario.title}")
    tls = Certificates(args.dir) if scenario.tls else None
    source, front, contenders = registry(scenario, args, "source", tls), None, []
    try:
        scenario.fill(source.host)
        front = DelayProxy(source.host) if scenario.delay_ms else source
        truth = truth_of(source.host, scenario)
        for tool in tools:
            if scenario.forget and not tool.stateful:
                continue  # nothing to forget: its result is that of the warm scenario
            try:
                contenders.append(Contender(tool, scenario, source, front, args, tls))
            except AssertionError as error:
                tell(f"  {tool.name}: left out: {error}")
        for number in range(args.rounds):
            if scenario.change:
                scenario.change(source.host, number)
                truth = truth_of(source.host, scenario)
            turn = [each for each in contenders if not each.slow or scenario.change]
            first = number % max(1, len(turn))
            for each in turn[first:] + turn[:first]:
                each.turn(truth, last=number in (0, args.rounds - 1))
        return {each.tool.name: each.rounds for each in contenders}
    finally:
        for each in contenders:
            each.close()
        if front is not source and front:
            front.close()
        source.stop(wipe=True)


class Contender:
    """A tool with destinations and a memory of its own, so that tools can take turns."""

    def __init__(self, tool, scenario, source, front, args, tls):
        self.tool, self.scenario, self.args = tool, scenario, args
        self.source, self.front = source, front
        self.folder = tempfile.mkdtemp(prefix=f"{tool.name}-", dir=args.dir)
        self.state = os.path.join(self.folder, "state")
        self.destinations = [
            registry(scenario, args, f"{tool.name}-{n}", tls) for n in range(scenario.destinations)
        ]
        self.job = self._job(tls and str(tls.authority))
        self.rounds, self.slow = [], False
        self.forget()
        self.plan = tool.plan(self.job, self.folder, self.state)
        if scenario.warm:
            self._warm_up()
        self.rest()

    def turn(self, truth, last):
        """Run the tool once, measure it, and check what it did."""
        for each in self.destinations:
            each.start() if self.scenario.warm else each.wipe()
        if self.scenario.forget or not self.scenario.warm:
            self.forget()
        self.front.delay = self.scenario.delay_ms / 1000
        cost = self._measured()
        self.front.delay = 0
        cost["faults"] = self._faults(truth, deep=last or truth.size() < _MUCH, cost=cost)
        cost.update((k, round(v, 3)) for k, v in cost.items() if isinstance(v, float))
        self.rest()
        self.slow = cost["wall"] > self.args.slow
        self.rounds.append(cost)
        tell(
            f"  {self.scenario.key:6} {self.tool.name:13} {cost['wall']:7.2f} s  "
            f"cpu {cost['cpu']:6.2f}  rss {cost['rss_mib']:4.0f}  "
            f"src {cost['source']['total']:5} dst {cost['destination']['total']:5}  "
            f"foreign {cost['foreign_cpu']:.1f}  {'; '.join(cost['faults']) or 'ok'}"
        )

    def forget(self):
        """Remove what the tool remembers."""
        shutil.rmtree(self.state, ignore_errors=True)
        os.makedirs(self.state)

    def rest(self):
        """Stop the destinations, as others are measured now."""
        for each in self.destinations:
            each.stop()

    def close(self):
        for each in self.destinations:
            each.stop(wipe=True)
        if self.args.keep:
            tell(f"kept {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _job(self, authority):
        copies = [
            Copy(
                f"{self.front.host}/{path}",
                tags,
                tuple(f"{each.host}/{path}" for each in self.destinations),
                self.scenario.every,
            )
            for path, tags in self.scenario.repositories.items()
        ]
        return Job(tuple(copies), self.scenario.referrers, authority)

    def _warm_up(self):
        for each in self.destinations:
            each.fill_from(self.source)
        if self.tool.stateful and not self.scenario.forget:
            self.front.delay = 0
            self._spend()

    def _measured(self):
        """Run the tool; returns what that cost the tool, the servers and everybody else."""
        servers = (self.source, *self.destinations)
        marks = [each.mark() for each in servers]
        server_cpu = sum(each.cpu() for each in servers)
        written = sum(each.written() for each in self.destinations)
        own = sum(os.times()[:2])  # a delay proxy runs in this process
        cost = self._spend()
        cost["server_cpu"] = sum(each.cpu() for each in servers) - server_cpu
        foreign = cost.pop("machine_cpu") - cost["cpu"] - cost["server_cpu"]
        cost["foreign_cpu"] = max(0.0, foreign - (sum(os.times()[:2]) - own))
        cost["written"] = sum(each.written() for each in self.destinations) - written
        cost["source"] = self.source.counts(marks[0])
        cost["destination"] = {}
        for each, mark in zip(self.destinations, marks[1:], strict=True):
            for kind, number in each.counts(mark).items():
                cost["destination"][kind] = cost["destination"].get(kind, 0) + number
        return cost

    def _spend(self):
        """Run the tool in a process that measures it."""
        plan = self.plan
        folders = {f"XDG_{each}_HOME": self.state for each in ("DATA", "CACHE", "CONFIG", "STATE")}
        job = {
            "commands": plan.commands,
            "parallel": plan.parallel,
            "env": {"HOME": self.state, **folders, **plan.env},
            "timeout": self.args.timeout,
            "log": self.folder + "/log",
        }
        out = subprocess.run(
            [sys.executable, "-S", _MEASURE],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            check=True,
        )
        time.sleep(_LOG_SETTLES)
        return json.loads(out.stdout)

    def _faults(self, truth, *, deep, cost):
        found = [fault for each in self.destinations for fault in faults(each.host, truth, deep)]
        if cost["expired"]:
            return [f"stopped after {self.args.timeout} s", *found]
        return [f"exit {cost['codes']}", *found] if cost["failed"] else found


def tell(line):
    """Say how far it is, apart from the tables."""
    print(line, file=sys.stderr, flush=True)
