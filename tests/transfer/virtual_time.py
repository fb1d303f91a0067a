"""An event loop whose clock jumps ahead whenever everybody waits, so that no test does."""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Never sleeps: time passes by as much as the next timer asks for, and not otherwise."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self._now

    def skip(self, seconds: float) -> None:
        self._now += seconds


def in_virtual_time(
    test: Callable[..., Coroutine[Any, Any, None]],
) -> Callable[..., None]:
    """Run an async test in such a loop."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(test(*arguments, **named))

    return run


async def until(claim: Callable[[], bool]) -> None:
    """Let time pass until *claim* is true."""
    while not claim():  # noqa: ASYNC110 - in virtual time this costs nothing, and fits any claim
        await asyncio.sleep(0.01)


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            # Nothing is planned and no time will help: a test that hangs says so.
            raise RuntimeError("everybody waits for something that will never happen")
        ready = super().select(0)
        if not ready and timeout > 0:
            self._loop.skip(timeout)
        return ready
