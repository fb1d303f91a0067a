"""Follow: the rhythm in which whoever watches a run is told of it, programs and pages alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, aclosing
from typing import Final, Protocol

from replicator.errors import AccessDenied, RunNotFound, StoreError

# Seconds between two looks at what moves in this process.
_LOOK_EVERY: Final = 0.5
# Looks after which the database is asked, which knows of the runs of others.
_ASK_EVERY: Final = 4
# Looks without news after which a comment says that the connection lives; proxies cut silent ones.
_HEARTBEAT: Final = 30
_ALIVE: Final = ": alive\n\n"
# The id after which nothing comes any more.
END: Final = "end"


class Watcher(Protocol):
    """What somebody who watches a run has been told, and what there is to tell, as events."""

    @property
    def is_over(self) -> bool:
        """Whether the run had ended when the database was last asked."""
        ...

    def news(self) -> Sequence[str]:
        """Return what this process knows, or has heard, and has not told yet."""
        ...

    async def ask(self) -> Sequence[str]:
        """Ask the database how the run is, and whether who watches still may: a token may be
        revoked, a session end. Raises AccessDenied, RunNotFound, StoreError."""
        ...

    def last(self) -> Sequence[str]:
        """Return what is told of a run that is over."""
        ...


async def follow(
    watcher: Watcher,
    is_closed: Callable[[], bool],
    watching: AbstractContextManager[object],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncGenerator[str, None]:
    """Yield events until the run is over, this process *is_closed*, or nobody may watch any more.

    *watching* lasts as long. A database that is away for a while ends nothing.
    """
    with watching:
        async with aclosing(_follow(watcher, is_closed, sleep)) as texts:
            async for text in texts:
                yield text


async def _follow(
    watcher: Watcher, is_closed: Callable[[], bool], sleep: Callable[[float], Awaitable[None]]
) -> AsyncGenerator[str, None]:
    looks = silent = 0
    while True:
        if looks % _ASK_EVERY == 0:
            try:
                told = await watcher.ask()
            except (AccessDenied, RunNotFound):
                return
            except StoreError:
                told = ()
            for text in told:
                yield text
        if watcher.is_over:
            break
        news = watcher.news()
        for text in news:
            yield text
        if is_closed():
            return
        silent = 0 if news else silent + 1
        if silent == _HEARTBEAT:
            silent = 0
            yield _ALIVE
        await sleep(_LOOK_EVERY)
        looks += 1
    for text in (*watcher.news(), *watcher.last()):
        yield text
