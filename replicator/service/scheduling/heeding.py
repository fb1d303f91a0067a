"""Heeding: acts at once on notices that something changed, which would be found by looking."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TypeAlias

from replicator.errors import ReplicatorError

_log = logging.getLogger(__name__)

Act: TypeAlias = Callable[[], Awaitable[None]]


async def heed(notices: Callable[[], AsyncIterator[str]], acts: Mapping[str, Act]) -> None:
    """Act on each kind of notice, until cancelled; many that come at once are acted on once."""
    heard, news = set[str](), asyncio.Event()

    async def listen() -> None:
        async for notice in notices():
            heard.add(notice)
            news.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(listen())
        while True:
            await news.wait()
            news.clear()
            kinds = heard & acts.keys()
            heard.clear()
            for kind in kinds:
                try:
                    await acts[kind]()
                except ReplicatorError as error:
                    _log.warning("notice not heeded", extra={"error": str(error)})
