"""Moved: what came of runs under way, as far as the database was not told of it yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from replicator.transfer.order import Tally, TallySoFar
from replicator.values import dataclass


@dataclass(slots=True)
class _Source:
    run: str
    so_far: TallySoFar
    told: Tally

    def news(self) -> Tally:
        now = self.so_far()
        news, self.told = now.since(self.told), now
        return news


class Moved:
    """Adds up by run what moves in this process, for whoever tells the database now and then.

    It is there for people who want to know how far a run is: the end of a run says all, and is
    summed up without it.
    """

    def __init__(self) -> None:
        self._sources: dict[object, _Source] = {}
        self._rest: dict[str, Tally] = {}

    @contextmanager
    def counted(self, run: str, so_far: TallySoFar) -> Iterator[None]:
        """Count for *run* what *so_far* says, until then and while this goes on."""
        key = object()
        self._sources[key] = _Source(run, so_far, Tally())
        try:
            yield
        finally:
            source = self._sources.pop(key)
            self._add(run, source.news())

    def forget(self, run: str) -> None:
        """Tell no more of a run: it is over."""
        self._rest.pop(run, None)

    def take(self) -> dict[str, Tally]:
        """Return by run what was not taken before."""
        for source in self._sources.values():
            self._add(source.run, source.news())
        return self.take_rest()

    def take_rest(self) -> dict[str, Tally]:
        """Return what was not taken before of what has ended."""
        taken, self._rest = self._rest, {}
        return taken

    def put_back(self, taken: Mapping[str, Tally]) -> None:
        """Keep for the next time what could not be told."""
        for run, tally in taken.items():
            self._add(run, tally)

    def _add(self, run: str, tally: Tally) -> None:
        if tally != Tally():
            self._rest.setdefault(run, Tally()).add(tally)
