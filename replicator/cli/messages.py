"""Messages: what is said on standard error, beside the results."""

from __future__ import annotations

import contextlib
import sys

from replicator.cli.text import printable


def say(text: str) -> None:
    """Print one line; a reader who has gone away must not end the work that it is about."""
    with contextlib.suppress(BrokenPipeError, ValueError):
        print(printable(text), file=sys.stderr, flush=True)


def complain(text: str) -> None:
    """Say why a command did not do what it was asked for."""
    say(f"replicate: {' '.join(text.split())}")
