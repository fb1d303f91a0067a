"""Waiting for a library that blocks, and not for ever."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(function: Callable[[], T], *, seconds: float) -> T:
    """Return what *function* returns, which runs in a thread of its own.

    Raises TimeoutError after *seconds*. The thread then goes on without anybody who listens; it is
    not one of an executor's, because the program would not end before those do.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def settle(settle_it: Callable[[], None]) -> None:
        if not outcome.done():
            settle_it()

    def run() -> None:
        try:
            result = function()
        except BaseException as error:
            failure = error
            _tell(loop, lambda: settle(lambda: outcome.set_exception(failure)))
        else:
            _tell(loop, lambda: settle(lambda: outcome.set_result(result)))

    threading.Thread(target=run, daemon=True, name="cloud login").start()
    async with asyncio.timeout(seconds):
        return await outcome


def _tell(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    """Let *loop* call something; nobody is told once it is closed."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(callback)
