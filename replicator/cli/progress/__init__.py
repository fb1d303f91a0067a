"""Progress of copies on standard error: live bars on a terminal, plain lines in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from replicator.cli.messages import say
from replicator.cli.progress.lines import Lines
from replicator.events import Event, Listener, TagFinished


@contextmanager
def shown_progress(*, verbosity: int, tags: bool = True) -> Iterator[Listener]:
    """Show progress while the block runs; the listener is to hear the events.

    *tags*: whether a line says what became of each tag, which a command that prints results of
    its own does not need.
    """
    if not sys.stderr.isatty():
        yield Lines(say, verbosity=verbosity, tags=tags)
        return
    # Rich takes a while to load, and only a terminal has a use for it.
    from replicator.cli.progress.bars import shown_bars

    with shown_bars(verbosity=verbosity, tags=tags) as listener:
        yield listener


class FailedTags:
    """Remembers of which tags the progress has said that they failed."""

    def __init__(self) -> None:
        self.tags: set[tuple[str, str]] = set()

    def __call__(self, event: Event, /) -> None:
        if isinstance(event, TagFinished) and event.error is not None:
            self.tags.add((str(event.destination), str(event.tag)))
