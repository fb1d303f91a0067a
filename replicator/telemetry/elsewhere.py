"""Elsewhere: what moves in the runs of other processes, as they said last, for those who watch."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from replicator.telemetry.snapshot import Moving, Snapshot, read_snapshot

# Seconds after which what a process said counts no more, when it says no more: it may be gone.
_LASTS: Final = 6.0
# Processes whose words are kept of a run.
_SENDERS: Final = 100


class Elsewhere:
    """Knows who watches which runs here, and keeps of those alone what others say of them.

    *me* is the name of this process, which knows better what it does itself.
    """

    def __init__(self, me: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._me = me
        self._monotonic = monotonic
        self._watchers: Counter[str] = Counter()
        self._came = asyncio.Event()
        self._said: dict[str, dict[str, tuple[float, Snapshot]]] = {}

    @property
    def watched(self) -> tuple[str, ...]:
        """The runs that somebody watches here."""
        return tuple(self._watchers)

    @contextmanager
    def watching(self, run: str) -> Iterator[None]:
        """Let it be known that somebody watches *run* while this goes on."""
        self._watchers[run] += 1
        self._came.set()
        try:
            yield
        finally:
            self._watchers[run] -= 1
            if not self._watchers[run]:
                del self._watchers[run]
                self._said.pop(run, None)

    async def next_watcher(self) -> None:
        """Return when somebody has begun to watch since this was last asked."""
        await self._came.wait()
        self._came.clear()

    def hear(self, text: str) -> None:
        """Take notice of what a process says; what cannot be read is nothing."""
        said = read_snapshot(text)
        if said is None or said.sender == self._me or said.run not in self._watchers:
            return
        of_run = self._said.setdefault(said.run, {})
        if len(of_run) < _SENDERS or said.sender in of_run:
            of_run[said.sender] = self._monotonic() + _LASTS, said

    def images(self, run: str) -> list[Moving]:
        """Return how far images are that others copy now."""
        return [image for said in self._latest(run) for image in said.images()]

    def blobs(self, run: str) -> list[Moving]:
        """Return how far blobs are that others move now."""
        return [blob for said in self._latest(run) for blob in said.blobs()]

    def more_images(self, run: str) -> int:
        """Return how many images others copy besides."""
        return sum(said.more for said in self._latest(run))

    def _latest(self, run: str) -> list[Snapshot]:
        now, said = self._monotonic(), self._said.get(run, {})
        for sender in [each for each, (until, _) in said.items() if until < now]:
            del said[sender]
        return [snapshot for _, snapshot in said.values()]
