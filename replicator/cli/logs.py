"""Logs: what modules note beside their work, shown to those who ask for more."""

from __future__ import annotations

import logging


def set_up_logs(verbosity: int) -> None:
    """Show warnings and traces on standard error with ``-v``, and nothing without.

    What a user has to know is in results and messages. Without a handler, Python would print
    warnings, and the traces of mistakes that cost one tag only.
    """
    root = logging.getLogger()
    if verbosity:
        handler: logging.Handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    else:
        handler = logging.NullHandler()
    root.addHandler(handler)
