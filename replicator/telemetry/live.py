"""LiveRuns: what is moving in runs, for those who watch."""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import field
from typing import Any, Final, TypeAlias

import structlog

from replicator import events
from replicator.events import Event
from replicator.telemetry.elsewhere import Elsewhere
from replicator.telemetry.snapshot import Moving, Snapshot, take_snapshot
from replicator.values import dataclass

# Facts that are kept of a run, for whoever comes back after the connection broke.
_KEPT: Final = 500
# Runs whose facts are kept.
_RUNS: Final = 100
# Blobs under way that are shown of a run.
_BLOBS: Final = 1000

# Images under way that are shown of a run.
_IMAGES: Final = 200

_Blob: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened once; ``number`` grows within the run."""

    number: int
    kind: str
    data: dict[str, Any]


@dataclass(slots=True)
class _Image:
    """An image under way: the sizes of its blobs, and those that are not there yet."""

    source: str
    destination: str
    tag: str
    size: int
    missing: dict[str, int]


@dataclass(slots=True)
class _Run:
    facts: deque[Fact] = field(default_factory=lambda: deque(maxlen=_KEPT))
    blobs: dict[_Blob, list[int]] = field(default_factory=dict)
    images: dict[tuple[str, str], _Image] = field(default_factory=dict)
    number: int = 0


class LiveRuns:
    """Hears what happens, and keeps of each run so much as a watcher needs, and no more.

    Nobody who watches slowly holds anything up: he is shown how far blobs are when he looks, and
    misses facts once there are too many of them. ``epoch`` tells this process from another, and
    ``elsewhere`` is what those say of the runs that are watched here.
    """

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(4)
        self.is_closed = False
        self.elsewhere = Elsewhere(self.epoch)
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
                live = self._run(run)
                live.blobs.pop((str(event.destination), str(event.digest)), None)
                for image in live.images.values():
                    if image.destination == str(event.destination):
                        image.missing.pop(str(event.digest), None)
            case events.TagStarted():
                size = sum(event.blobs.values())
                self._begin(run, event, size)
                self._note(run, "tag_started", {**_tag(event), "bytes": size})
            case events.TagFinished():
                self._end(self._run(run), str(event.destination), str(event.tag))
                self._note(run, "tag_finished", {**_tag(event), "error": event.error})
            case events.RequestRetried():
                about = {"registry": event.registry, "reason": event.reason}
                self._note(run, "retried", {**about, "after_seconds": round(event.seconds, 3)})

    def facts_since(self, run: str, number: int) -> list[Fact]:
        """Return what happened in *run* after the fact of that number, as far as it is kept."""
        live = self._runs.get(run)
        return [] if live is None else [fact for fact in live.facts if fact.number > number]

    def blobs(self, run: str) -> list[Moving]:
        """Return how far the blobs are that move now, wherever that is."""
        return [*self._blobs(run), *self.elsewhere.blobs(run)]

    def images(self, run: str) -> list[Moving]:
        """Return how far the images are that are being copied now, in bytes, wherever that is."""
        return [*self._images(run), *self.elsewhere.images(run)]

    def knows(self, run: str) -> bool:
        """Say whether something of *run* moved in this process."""
        return run in self._runs

    def snapshot(self, run: str) -> Snapshot:
        """Return what moves in this process, for another one."""
        return take_snapshot(run, self.epoch, self._images(run), self._blobs(run))

    def close(self) -> None:
        """Let everybody know who watches that this process ends."""
        self.is_closed = True

    def _blobs(self, run: str) -> list[Moving]:
        live = self._runs.get(run)
        if live is None:
            return []
        tags = _waiting_for(live)
        return [
            {
                "destination": destination,
                "digest": digest,
                "done": done,
                "size": size,
                "tags": tags.get((destination, digest), []),
            }
            for (destination, digest), (done, size) in live.blobs.items()
        ]

    def _images(self, run: str) -> list[Moving]:
        live = self._runs.get(run)
        return [_progress_of(image, live.blobs) for image in live.images.values()] if live else []

    def _run(self, run: str) -> _Run:
        live = self._runs.get(run)
        if live is None:
            live = self._runs[run] = _Run()
            while len(self._runs) > _RUNS:
                del self._runs[next(iter(self._runs))]
        return live

    def _begin(self, run: str, event: events.TagStarted, size: int) -> None:
        live, destination = self._run(run), str(event.destination)
        if len(live.images) < _IMAGES:
            missing = {str(digest): size for digest, size in event.blobs.items()}
            image = _Image(event.source, destination, str(event.tag), size, missing)
            live.images[destination, image.tag] = image

    def _end(self, live: _Run, destination: str, tag: str) -> None:
        """Forget an image, and of its blobs those that nobody else waits for: they ended with it,
        however that was."""
        image = live.images.pop((destination, tag), None)
        others = [each for each in live.images.values() if each.destination == destination]
        for digest in image.missing if image else ():
            if not any(digest in each.missing for each in others):
                live.blobs.pop((destination, digest), None)

    def _note(self, run: str, kind: str, data: dict[str, Any]) -> None:
        live = self._run(run)
        live.number += 1
        live.facts.append(Fact(live.number, kind, data))

    def _progress(self, run: str, event: events.BlobProgressed) -> None:
        live = self._runs.get(run)
        moving = live and live.blobs.get((str(event.destination), str(event.digest)))
        if moving:
            moving[0] += event.size


def _waiting_for(live: _Run) -> dict[_Blob, list[str]]:
    """Find the tags whose images wait for blobs that move; a signature's blob has none.

    This is asked when somebody looks, so that a blob's way costs the same whoever shares it.
    """
    tags: dict[_Blob, list[str]] = {}
    for image in live.images.values():
        for digest in image.missing:
            blob = image.destination, digest
            if blob in live.blobs:
                tags.setdefault(blob, []).append(image.tag)
    return tags


def _progress_of(image: _Image, blobs: dict[_Blob, list[int]]) -> Moving:
    """Say how far an image is: all of its blobs that are there, and parts of those that move."""
    parts = (blobs.get((image.destination, digest), (0, 0))[0] for digest in image.missing)
    return {
        "source": image.source,
        "destination": image.destination,
        "tag": image.tag,
        "done": image.size - sum(image.missing.values()) + sum(parts),
        "size": image.size,
    }


def _tag(event: events.TagStarted | events.TagFinished) -> dict[str, Any]:
    return {
        "source": event.source,
        "destination": str(event.destination),
        "tag": str(event.tag),
    }
