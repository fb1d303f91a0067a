"""Counts of requests, for each run, by registry and kind."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

from replicator.events import Event, RequestFinished, RequestKind

RequestCounts: TypeAlias = defaultdict[str, Counter[RequestKind]]

# Runs share their registries. Whose request it was follows from the task that makes it, as tasks
# inherit the context of the one that starts them. What several runs need at the same moment is
# counted for the one that asked first.
_counts: ContextVar[RequestCounts | None] = ContextVar("request_counts", default=None)


@contextmanager
def counted_requests() -> Iterator[RequestCounts]:
    """Count the requests that are made inside, by registry and kind."""
    counts: RequestCounts = defaultdict(Counter)
    token = _counts.set(counts)
    try:
        yield counts
    finally:
        _counts.reset(token)


def count_request(event: Event, /) -> None:
    """Add a request that went over the wire to the counts of its run."""
    counts = _counts.get()
    if counts is not None and isinstance(event, RequestFinished):
        counts[event.registry][event.kind] += 1


def by_name(counts: RequestCounts) -> dict[str, dict[str, int]]:
    """Return *counts* with the names of kinds, as reports and the database keep them."""
    return {
        registry: {kind.value: number for kind, number in kinds.items()}
        for registry, kinds in counts.items()
    }
