"""Heeding: acts at once on notices that something changed, which would be found by looking."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from replicator.errors import ReplicatorError

_log = logging.getLogger(__name__)

Act: TypeAlias = Callable[[], Awaitable[None]]


async def heed(
    notices: Callable[[], AsyncIterator[str]],
    acts: Mapping[str, Act],
    hearers: Sequence[Callable[[str], None]] = (),
) -> None:
    """Act on each kind of notice, until cancelled; many that come at once are acted on once.

    *hearers* are told of each notice, whatever else it says.
    """
    heard, news = set[str](), asyncio.Event()

    async def listen() -> None:
        async for notice in notices():
            for hear in hearers:
                hear(notice)
            if notice in acts:
                heard.add(notice)
                news.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(listen())
        while True:
            await news.wait()
            news.clear()
            kinds = frozenset(heard)
            heard.clear()
            for kind in kinds:
                try:
                    await acts[kind]()
                except ReplicatorError as error:
                    _log.warning("notice not heeded", extra={"error": str(error)})
