"""Waiting for a library that blocks, and not for ever."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


async def in_thread(function: Callable[[], T], *, seconds: float) -> T:
    """Return what *function* returns, which runs in a thread of its own.

    Raises TimeoutError after *seconds*. The thread then goes on without anybody who listens; it is
    not one of an executor's, because the program would not end before those do.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def settle(settle_it: Callable[[Any], None], value: Any) -> None:
        if not outcome.done():
            settle_it(value)

    def report(settle_it: Callable[[Any], None], value: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, settle_it, value)

    def run() -> None:
        try:
            result = function()
        except BaseException as error:
            report(outcome.set_exception, error)
        else:
            report(outcome.set_result, result)

    threading.Thread(target=run, daemon=True, name="cloud login").start()
    async with asyncio.timeout(seconds):
        return await outcome
