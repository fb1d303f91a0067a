"""Events as lines of text."""

from __future__ import annotations

from replicator import events
from replicator.cli.text import plural, size_text
from replicator.events import Event, ManifestWritten


class Describer:
    """Says of events what is worth a line: with *verbosity* 1 also blobs, with 2 requests."""

    def __init__(self, *, verbosity: int, tags: bool) -> None:
        self._verbosity = verbosity
        self._tags = tags
        self._written: set[tuple[str, str]] = set()
        self._warnings: set[tuple[str, str]] = set()

    def describe(self, event: Event) -> str:
        """Return a line about *event*, or nothing when it is not worth one."""
        match event:
            case ManifestWritten(destination, _, str(tag)):
                self._written.add((str(destination), tag))
            case events.TagFinished():
                return self._finished(event)
            case events.RegistryWarned(registry, text):
                return self._warning(registry, text)
            case events.RequestRetried(registry, kind, reason, seconds) if self._verbosity:
                return f"{registry}: {kind} again in {seconds:.1f} s: {reason}"
            case events.BlobFinished(destination, digest, size, outcome) if self._verbosity:
                return f"{outcome} {destination}@{digest} ({size_text(size)})"
            case events.RequestFinished(registry, kind, status, seconds) if self._verbosity > 1:
                return f"{registry}: {kind} {status or 'no answer'} in {seconds * 1000:.0f} ms"
        return ""

    def _finished(self, event: events.TagFinished) -> str:
        name = f"{event.destination}:{event.tag}"
        written = (str(event.destination), str(event.tag)) in self._written
        self._written.discard((str(event.destination), str(event.tag)))
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


def blobs_text(number: int, size: int, what: str) -> str:
    """Return ``3 blobs moved, 3.4 MiB``; without the size where there is none."""
    return f"{plural(number, 'blob')} {what}" + (f", {size_text(size)}" if size else "")
