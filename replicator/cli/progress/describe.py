"""Events as lines of text."""

from __future__ import annotations

from typing import Final

from replicator import events
from replicator.cli.text import size_text
from replicator.events import Event
from replicator.oci.reference import RepositoryName, Tag

# In seconds; whoever has waited so long wonders what for.
_LONG_SILENCE: Final = 10.0


class Describer:
    """Says of events what is worth a line: with *verbosity* 1 also blobs, with 2 requests."""

    def __init__(self, *, verbosity: int, tags: bool) -> None:
        self._verbosity = verbosity
        self._tags = tags
        # Tags under way, and whether they have been written.
        self._written: dict[tuple[RepositoryName, Tag], bool] = {}
        self._warnings: set[tuple[str, str]] = set()
        # Registries that were silent, and the try that followed.
        self._silent: set[tuple[str, int]] = set()

    def describe(self, event: Event) -> str:
        """Return a line about *event*, or nothing when it is not worth one."""
        match event:
            case events.TagStarted(_, destination, tag):
                self._written[destination, tag] = False
            case events.ManifestWritten(destination, _, Tag() as tag):
                if (destination, tag) in self._written:
                    self._written[destination, tag] = True
            case events.TagFinished():
                return self._finished(event)
            case events.RegistryWarned(registry, text):
                return self._warning(registry, text)
            case events.RequestRetried():
                return self._retried(event)
            case events.BlobFinished(destination, digest, size, outcome) if self._verbosity:
                return f"{outcome} {destination}@{digest} ({size_text(size)})"
            case events.RequestFinished(registry, kind, status, seconds) if self._verbosity > 1:
                return f"{registry}: {kind} {status or 'no answer'} in {seconds * 1000:.0f} ms"
        return ""

    def _retried(self, event: events.RequestRetried) -> str:
        """Say for whom a request waits: at once to whoever asked for more, else after a while."""
        if self._verbosity:
            seconds = f"{event.seconds:.1f} s"
            return f"{event.registry}: {event.kind} again in {seconds}: {event.reason}"
        # Many requests wait at a time; of those that are as far as another nothing new is told.
        if event.silence < _LONG_SILENCE or (event.registry, event.number) in self._silent:
            return ""
        self._silent.add((event.registry, event.number))
        silence, tries = f"{event.silence:.0f} s", f"{event.number} of {event.tries}"
        return f"waiting for {event.registry}: no answer for {silence}; try {tries}"

    def _finished(self, event: events.TagFinished) -> str:
        name = f"{event.destination}:{event.tag}"
        written = self._written.pop((event.destination, event.tag), False)
        if not self._tags:
            return ""
        if event.error is not None:
            return f"failed {event.source} → {name}: {event.error}"
        return f"copied {event.source} → {name}" if written else ""

    def _warning(self, registry: str, text: str) -> str:
        if (registry, text) in self._warnings:
            return ""
        self._warnings.add((registry, text))
        return f"warning from {registry}: {text}"
