"""Soak: rules on time for long, while processes, the database and registries fail at random.

    python -m tests.chaos.soak [MINUTES [SEED]]

Prints the memory of each process once a minute, and what was done, what the checker and an observer
found, and what the processes held, in the end. Exits with 1 if they found anything, or if a process
holds more and more: one of each role is never ended, so that this can be seen.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median

from replicator.embedded.server import EmbeddedRegistry
from replicator.store import migrate
from tests.chaos import checker
from tests.chaos.cluster import Cluster, Member, running
from tests.chaos.content import Content
from tests.chaos.observer import Observer, watching
from tests.chaos.stage import Stage, cut_connections, wide_rule
from tests.support.address import Address
from tests.support.faults import Faults, answer, cut_body, hang_up, hang_up_while_receiving
from tests.support.postgres import Postgres, postgres

_EPSILON = timedelta(seconds=60)
_PAUSE = 5.0  # seconds between two faults, on average
_MIB = 1024  # KiB
# Looks after which a process has all that it needs.
_WARM = 5
# What may be more afterwards: as a share of memory, and in files.
_MORE_MEMORY, _MORE_FILES = 0.15, 20


class Registry:
    """An embedded registry in a thread of its own, which can be told to fail.

    At its *back_door* it never does, for those who are not the subject.
    """

    def __init__(self) -> None:
        self.faults = Faults()
        self.address = Address("")
        self.back_door = Address("")
        self._is_up = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()

    def serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        async with (
            EmbeddedRegistry() as sound,
            EmbeddedRegistry(sound.storage, wrap=self.faults) as registry,
        ):
            self.address, self.back_door = Address(registry.host), Address(sound.host)
            self._is_up.set()
            while not self._stop.is_set():
                # What it was asked would be all that grows here.
                registry.requests.clear()
                sound.requests.clear()
                try:
                    async with asyncio.timeout(5):
                        await self._stop.wait()
                except TimeoutError:
                    continue

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Registry]:
        registry = cls()
        thread = threading.Thread(target=registry.serve)
        thread.start()
        registry._is_up.wait()
        try:
            yield registry
        finally:
            registry._loop.call_soon_threadsafe(registry._stop.set)
            thread.join()


class Chaos:
    """Does one thing after another to a cluster and to what it uses."""

    def __init__(
        self,
        cluster: Cluster,
        database: Postgres,
        registries: tuple[Registry, ...],
        chance: random.Random,
    ) -> None:
        self._cluster = cluster
        self._database = database
        self._registries = registries
        self._chance = chance
        # In the order of the roles, so the last of each.
        self.spared = list({member.role: member for member in cluster.members}.values())
        self.done: Counter[str] = Counter()
        self.acts: tuple[Callable[[], None], ...] = (
            self.kill,
            self.kill,
            self.ask_to_end,
            self.pause,
            self.restart_database,
            self.crash_database,
            self.cut_connections,
            self.refuse,
            self.reset,
            self.cut_bodies,
        )

    def act(self) -> None:
        act = self._chance.choice(self.acts)
        self.done[act.__name__] += 1
        act()

    def rest(self) -> None:
        time.sleep(self._chance.expovariate(1 / _PAUSE))

    def kill(self) -> None:
        self._send(self._somebody(), signal.SIGKILL)

    def ask_to_end(self) -> None:
        self._send(self._somebody(), signal.SIGTERM)

    def pause(self) -> None:
        """Let a process stand still, for longer than its lease every other time."""
        member = self._anybody()
        self._send(member, signal.SIGSTOP)
        time.sleep(self._chance.choice((3.0, 12.0)))
        self._send(member, signal.SIGCONT)

    def restart_database(self) -> None:
        self._take_database_away(signal.SIGINT)

    def crash_database(self) -> None:
        self._take_database_away(signal.SIGQUIT)

    def cut_connections(self) -> None:
        cut_connections(self._cluster.database)

    def refuse(self) -> None:
        self._chosen_faults().add(answer(503), times=20)

    def reset(self) -> None:
        faults = self._chosen_faults()
        faults.add(hang_up(), times=5)
        faults.add(hang_up_while_receiving(500), "PUT", times=5)

    def cut_bodies(self) -> None:
        self._chosen_faults().add(cut_body(300), "GET", "/blobs/", times=5)

    def _take_database_away(self, how: signal.Signals) -> None:
        self._database.stop(how)
        time.sleep(self._chance.uniform(0, 5))
        self._database.start_again()

    def _chosen_faults(self) -> Faults:
        faults = self._chance.choice(self._registries).faults
        # Those of before have done what they should, and would only be looked through.
        faults.clear()
        return faults

    def _anybody(self) -> Member:
        return self._chance.choice(list(self._cluster.members))

    def _somebody(self) -> Member:
        """Choose one of those that may end."""
        return self._chance.choice([m for m in self._cluster.members if m not in self.spared])

    def _send(self, member: Member, how: signal.Signals) -> None:
        if not member.process.ended:
            os.kill(member.pid, how)


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds: memory in MiB, and open files."""

    memory: int
    files: int


class Holdings:
    """What each process of a cluster holds, as it was seen from time to time."""

    def __init__(self) -> None:
        self.seen: dict[int, list[Held]] = {}
        self.roles: dict[int, str] = {}

    def look(self, cluster: Cluster) -> str:
        for member in list(cluster.members):
            if (held := _held(member.pid)) is not None:
                self.seen.setdefault(member.pid, []).append(held)
                self.roles[member.pid] = member.role
        return ", ".join(
            f"{self.roles[m.pid]} {self.seen[m.pid][-1].memory} MiB"
            for m in cluster.members
            if m.pid in self.seen
        )

    def told(self) -> list[str]:
        """Return what each process that lived long held, from when it was warm to its end."""
        return [
            f"{self.roles[pid]} {pid}: {_range(each.memory for each in seen)} MiB, "
            f"{_range(each.files for each in seen)} files, over {len(seen)} looks"
            for pid, seen in self._warm().items()
        ]

    def growing(self) -> list[str]:
        """Return the processes that hold more and more."""
        return [
            f"{self.roles[pid]} {pid} grows"
            for pid, seen in self._warm().items()
            if _more(seen, "memory") > _MORE_MEMORY * seen[0].memory
            or _more(seen, "files") > _MORE_FILES
        ]

    def _warm(self) -> dict[int, list[Held]]:
        long = {pid: seen[_WARM:] for pid, seen in self.seen.items()}
        return {pid: seen for pid, seen in long.items() if len(seen) > _WARM}


def _more(seen: Sequence[Held], what: str) -> float:
    """Return by how much a process held more in the last third than in the first."""
    values, third = [getattr(each, what) for each in seen], len(seen) // 3
    return median(values[-third:]) - median(values[:third])


def _range(values: Iterable[int]) -> str:
    found = list(values)
    return f"{found[0]} to {found[-1]} (at most {max(found)})"


def _held(pid: int) -> Held | None:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return None
    sizes = [int(line.split()[1]) for line in lines if line.startswith("VmRSS")]
    return Held(sizes[0] // _MIB, files) if sizes else None


def soak(minutes: float, seed: int) -> bool:
    """Do it, and say whether all is well."""
    print(f"soak: {minutes:g} minutes, seed {seed}", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="replicator-soak-") as name,
        postgres(keeps_commits=True) as database,
        Registry.running() as source,
        Registry.running() as destination,
    ):
        content = Content(source.back_door, "soak")
        content.push_round()
        folder = Path(name)
        rules = wide_rule("soak", source.address, destination.address, "every 5s")
        (folder / "config.toml").write_text(rules)
        url = database.url(database.create_database())
        asyncio.run(migrate.upgrade(url))
        cluster = Cluster(folder, url)
        observer = Observer(destination.back_door, [(f"mirror/{p}", t) for p, t in content.moving])
        stage = Stage(cluster, content, destination.back_door)
        holdings = Holdings()
        with watching(observer), running(cluster):
            chaos = Chaos(cluster, database, (source, destination), random.Random(seed))
            _go_on(minutes, chaos, stage, holdings)
            for registry in (source, destination):
                registry.faults.clear()
            findings = stage.come_right("when the faults are over")
            ended = [f"{m.role} {m.pid} ended by itself" for m in chaos.spared if m.process.ended]
        return _report(findings, observer, content, chaos, holdings, ended)


def _go_on(minutes: float, chaos: Chaos, stage: Stage, holdings: Holdings) -> None:
    end = time.monotonic() + minutes * 60
    next_look = 0.0
    while time.monotonic() < end:
        if time.monotonic() >= next_look:
            next_look = time.monotonic() + 60
            print(
                f"{(end - time.monotonic()) / 60:.0f} left: {holdings.look(stage.cluster)}",
                flush=True,
            )
        stage.content.push_round()
        chaos.act()
        chaos.rest()


def _report(
    findings: checker.Findings,
    observer: Observer,
    content: Content,
    chaos: Chaos,
    holdings: Holdings,
    ended: Sequence[str],
) -> bool:
    wrong = observer.wrong(content.at())
    versions = sum(map(len, observer.seen.values()))
    print("faults:", ", ".join(f"{name} {n}" for name, n in sorted(chaos.done.items())))
    print("held when warm:", *holdings.told(), sep="\n  ")
    print(f"observer: {observer.looks} looks, {versions} versions seen,", end=" ")
    print(f"{len(observer.torn)} torn, {len(wrong)} wrong")
    print("checker:", findings)
    amiss = [*observer.torn, *wrong, *holdings.growing(), *ended]
    print(*amiss, sep="\n", end="")
    return not (findings.errors or amiss)


def main() -> None:
    minutes = float(sys.argv[1]) if sys.argv[1:] else 30.0
    seed = int(sys.argv[2]) if sys.argv[2:] else int(time.time())
    sys.exit(not soak(minutes, seed))


if __name__ == "__main__":
    main()
