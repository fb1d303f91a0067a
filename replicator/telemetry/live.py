"""LiveRuns: what is moving in the runs of this process, for those who watch."""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import structlog

from replicator import events
from replicator.events import Event

# Facts that are kept of a run, for whoever comes back after the connection broke.
_KEPT: Final = 500
# Runs whose facts are kept.
_RUNS: Final = 100
# Blobs under way that are shown of a run.
_BLOBS: Final = 1000

_Blob: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened once; ``number`` grows within the run."""

    number: int
    kind: str
    data: dict[str, Any]


@dataclass(slots=True)
class _Run:
    facts: deque[Fact] = field(default_factory=lambda: deque(maxlen=_KEPT))
    blobs: dict[_Blob, list[int]] = field(default_factory=dict)
    number: int = 0


class LiveRuns:
    """Hears what happens, and keeps of each run so much as a watcher needs, and no more.

    Nobody who watches slowly holds anything up: he is shown how far blobs are when he looks, and
    misses facts once there are too many of them. ``epoch`` tells this process from another.
    """

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(4)
        self.is_closed = False
        self._runs: dict[str, _Run] = {}

    def hear(self, event: Event, /) -> None:
        """Take notice of an event; it belongs to the run that the task's log lines name."""
        run = structlog.contextvars.get_contextvars().get("run")
        if not isinstance(run, str):
            return
        match event:
            case events.BlobProgressed():
                self._progress(run, event)
            case events.BlobStarted():
                blob = (str(event.destination), str(event.digest))
                live = self._run(run)
                if len(live.blobs) < _BLOBS:
                    live.blobs[blob] = [0, event.size]
            case events.BlobFinished():
                self._run(run).blobs.pop((str(event.destination), str(event.digest)), None)
            case events.TagStarted():
                size = sum(event.blobs.values())
                self._note(run, "tag_started", {**_tag(event), "bytes": size})
            case events.TagFinished():
                self._note(run, "tag_finished", {**_tag(event), "error": event.error})
            case events.RequestRetried():
                about = {"registry": event.registry, "reason": event.reason}
                self._note(run, "retried", {**about, "after_seconds": round(event.seconds, 3)})

    def facts_since(self, run: str, number: int) -> list[Fact]:
        """Return what happened in *run* after the fact of that number, as far as it is kept."""
        live = self._runs.get(run)
        return [] if live is None else [fact for fact in live.facts if fact.number > number]

    def blobs(self, run: str) -> list[dict[str, Any]]:
        """Return how far the blobs are that move now."""
        live = self._runs.get(run)
        return [
            {"destination": destination, "digest": digest, "done": done, "size": size}
            for (destination, digest), (done, size) in (live.blobs.items() if live else ())
        ]

    def close(self) -> None:
        """Let everybody know who watches that this process ends."""
        self.is_closed = True

    def _run(self, run: str) -> _Run:
        live = self._runs.get(run)
        if live is None:
            live = self._runs[run] = _Run()
            while len(self._runs) > _RUNS:
                del self._runs[next(iter(self._runs))]
        return live

    def _note(self, run: str, kind: str, data: dict[str, Any]) -> None:
        live = self._run(run)
        live.number += 1
        live.facts.append(Fact(live.number, kind, data))

    def _progress(self, run: str, event: events.BlobProgressed) -> None:
        live = self._runs.get(run)
        moving = live and live.blobs.get((str(event.destination), str(event.digest)))
        if moving:
            moving[0] += event.size


def _tag(event: events.TagStarted | events.TagFinished) -> dict[str, Any]:
    return {
        "source": event.source,
        "destination": str(event.destination),
        "tag": str(event.tag),
    }
