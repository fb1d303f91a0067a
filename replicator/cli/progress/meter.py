"""Meter: how far copies are, learnt from events; knows nothing of how that is shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import field
from typing import Final, TypeAlias

from replicator import events
from replicator.cli.progress.rate import Rate
from replicator.events import BlobOutcome, Event
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.values import dataclass

# The share of the bytes that has to have moved for a forecast.
_ENOUGH: Final = 0.01

_Key: TypeAlias = tuple[RepositoryName, Tag]


@dataclass(slots=True)
class Amount:
    """Bytes of one image, or of all: what there is, and what is there by which way."""

    rate: Rate
    expected: int = 0
    moved: int = 0
    mounted: int = 0
    skipped: int = 0

    @property
    def done(self) -> int:
        return min(self.expected, self.moved + self.mounted + self.skipped)

    def seconds_left(self) -> float | None:
        """Return how long the rest takes at the rate of late; None while nobody can know.

        A forecast needs something to go by: an image whose layers wait for their turn has moved
        its config and no more.
        """
        per_second = self.rate.per_second()
        if not per_second or self.moved < self.expected * _ENOUGH:
            return None
        return (self.expected - self.done) / per_second


@dataclass(slots=True)
class Image:
    """A tag on its way: which of its blobs are still to come."""

    name: str
    waiting: dict[Digest, int]
    amount: Amount


@dataclass(slots=True)
class Totals:
    """All copies together."""

    amount: Amount
    images: int = 0
    failed: int = 0
    blobs_moved: int = 0
    blobs_mounted: int = 0
    blobs_skipped: int = 0
    requests: int = 0


@dataclass(slots=True)
class Meter:
    """Hears events, and knows of the images under way and of all together.

    ``images`` are in the order in which they began.
    """

    clock: Callable[[], float] = time.monotonic
    images: dict[_Key, Image] = field(default_factory=dict)
    totals: Totals = field(init=False)
    # The images that wait for a blob in a repository, by name and in their order.
    _waiting: dict[tuple[RepositoryName, Digest], dict[str, Image]] = field(
        init=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        self.totals = Totals(self._nothing())

    def __call__(self, event: Event, /) -> None:
        match event:
            # By far the most of all.
            case events.RequestFinished():
                self.totals.requests += 1
            case events.TagStarted():
                self._start(event)
            case events.BlobProgressed():
                self._progress(event)
            case events.BlobFinished():
                self._settle(event)
            case events.TagFinished():
                self._finish(event)

    def _start(self, event: events.TagStarted) -> None:
        amount = self._nothing()
        amount.expected = sum(event.blobs.values())
        self.totals.amount.expected += amount.expected
        name = f"{event.destination}:{event.tag}"
        image = Image(name, dict(event.blobs), amount)
        self.images[event.destination, event.tag] = image
        for digest in image.waiting:
            self._waiting.setdefault((event.destination, digest), {})[name] = image

    def _progress(self, event: events.BlobProgressed) -> None:
        image = self._waiting_for(event.destination, event.digest)
        for amount in (self.totals.amount, *((image.amount,) if image else ())):
            amount.moved += event.size
            amount.rate.add(event.size)

    def _settle(self, event: events.BlobFinished) -> None:
        totals, image = self.totals, self._waiting_for(event.destination, event.digest)
        amounts = [totals.amount]
        if image is None:
            # A blob of a referrer, which nobody had announced.
            totals.amount.expected += event.size
        else:
            self._leave(image, event.destination, event.digest)
            amounts.append(image.amount)
        match event.outcome:
            case BlobOutcome.COPIED:
                totals.blobs_moved += 1
            case BlobOutcome.MOUNTED:
                totals.blobs_mounted += 1
                for amount in amounts:
                    amount.mounted += event.size
            case BlobOutcome.PRESENT:
                totals.blobs_skipped += 1
                for amount in amounts:
                    amount.skipped += event.size

    def _finish(self, event: events.TagFinished) -> None:
        self.totals.images += event.error is None
        self.totals.failed += event.error is not None
        image = self.images.pop((event.destination, event.tag), None)
        if image is not None:
            # What a failed image still lacks is not to be waited for.
            self.totals.amount.expected -= image.amount.expected - image.amount.done
            for digest in tuple(image.waiting):
                self._leave(image, event.destination, digest)

    def _waiting_for(self, destination: RepositoryName, digest: Digest) -> Image | None:
        """Return the image that began first of those that wait for a blob in a repository."""
        waiting = self._waiting.get((destination, digest))
        return next(iter(waiting.values())) if waiting else None

    def _leave(self, image: Image, destination: RepositoryName, digest: Digest) -> None:
        """Let *image* wait for a blob no more."""
        del image.waiting[digest]
        waiting = self._waiting.get((destination, digest), {})
        # Gone already if the image began anew meanwhile.
        waiting.pop(image.name, None)
        if not waiting:
            self._waiting.pop((destination, digest), None)

    def _nothing(self) -> Amount:
        return Amount(Rate(self.clock))
