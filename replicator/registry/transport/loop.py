"""Which event loop runs us."""

from __future__ import annotations

import asyncio
import sys


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Make the event loop for ``asyncio.Runner``: uvloop, which halves the cost of a wake-up.

    It is imported here because only programs that speak to registries need it. Where it does not
    exist, the loop has to be one that watches sockets, which Windows' default one does not.
    """
    if sys.platform == "win32":
        return asyncio.SelectorEventLoop()
    import uvloop

    return uvloop.new_event_loop()
