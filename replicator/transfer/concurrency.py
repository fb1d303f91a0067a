"""Doing several things at once: all of a list, one at a time for a key, once for everybody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Generic, TypeVar

from replicator.errors import ReplicatorError

T = TypeVar("T")


async def together(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run all at once and return their results in order.

    When one fails the others are cancelled, and its error is raised by itself rather than in a
    group, as if they had run one after the other.
    """
    every = list(coroutines)
    if len(every) < 2:
        return [await coroutine for coroutine in every]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in every]
    except ExceptionGroup as failures:
        error = first_error(failures)
        raise error from error.__cause__
    return [task.result() for task in tasks]


def first_error(failures: ExceptionGroup[Exception]) -> Exception:
    """Return the first of our own errors in *failures*, or all of it if there are others too."""
    ours, others = failures.split(ReplicatorError)
    if ours is None or others is not None:
        return failures
    error: Exception = ours
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


class Signal:
    """Wakes all who wait for it at the moment it is sent."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def send(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self) -> None:
        await self._event.wait()


class Once(Generic[T]):
    """A value that many need and the first who asks makes.

    When making it fails, everybody gets the error; when the maker is cancelled, the next one
    makes it.
    """

    def __init__(self, make: Callable[[], Awaitable[T]]) -> None:
        self._make = make
        self._lock = asyncio.Lock()
        self._made: list[T] = []
        self._error: ReplicatorError | None = None

    async def get(self) -> T:
        async with self._lock:
            if self._error is not None:
                raise self._error
            if not self._made:
                try:
                    self._made.append(await self._make())
                except ReplicatorError as error:
                    self._error = error
                    raise
            return self._made[0]
