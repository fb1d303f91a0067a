"""What moves in a run, asked for where somebody watches it, and said where it is copied."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from replicator.errors import StoreError
from replicator.store.live_news import WATCHED, LiveNews
from replicator.telemetry.live import LiveRuns

_log = logging.getLogger(__name__)

# Seconds between two questions, which are for those who did not hear the one before.
_ASK_EVERY: Final = 3.0
# Seconds for which a question is answered.
_ANSWERED: Final = 10.0
# Seconds between two answers.
SAY_EVERY: Final = 1.0


class Asking:
    """Asks other processes while somebody watches here, and hears what they say."""

    def __init__(self, live: LiveRuns, news: LiveNews) -> None:
        self._live = live
        self._news = news

    async def run(self) -> None:
        """Go on until cancelled; while nobody watches, nothing is asked or heard."""
        elsewhere = self._live.elsewhere
        while True:
            await elsewhere.next_watcher()
            async with asyncio.TaskGroup() as group:
                hearing = group.create_task(self._hear())
                while elsewhere.watched:
                    await self._ask(elsewhere.watched)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_ASK_EVERY):
                            await elsewhere.next_watcher()
                hearing.cancel()

    async def _ask(self, runs: tuple[str, ...]) -> None:
        try:
            await self._news.ask(runs, who=self._live.epoch)
        except StoreError as error:
            _log.warning("not asked what moves elsewhere", extra={"error": str(error)})

    async def _hear(self) -> None:
        async for text in self._news.heard():
            self._live.elsewhere.hear(text)


class Saying:
    """Says what moves in the runs of this process while others ask, of each once a second."""

    def __init__(
        self,
        live: LiveRuns,
        news: LiveNews,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._live = live
        self._news = news
        self._monotonic = monotonic
        self._sleep = sleep
        self._until: dict[str, float] = {}
        self._idle: set[str] = set()
        self._asked = asyncio.Event()

    def hear(self, notice: str) -> None:
        """Take notice of a question of another process about a run of this one."""
        match notice.split(" "):
            case [what, run, who] if what == WATCHED and who != self._live.epoch:
                if self._live.knows(run):
                    self._until[run] = self._monotonic() + _ANSWERED
                    self._asked.set()

    async def run(self) -> None:
        """Go on until cancelled; while nobody asks, nothing is said."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            while self._until:
                await self._say()
                await self._sleep(SAY_EVERY)
                now = self._monotonic()
                self._until = {run: until for run, until in self._until.items() if until > now}
            self._idle.clear()

    async def _say(self) -> None:
        texts = [text for run in self._until if (text := self._text(run))]
        try:
            if texts:
                await self._news.say(texts)
        except StoreError as error:
            _log.warning("not said what moves here", extra={"error": str(error)})
            # Whoever still wants to know asks again.
            self._until.clear()

    def _text(self, run: str) -> str:
        """Return what there is to say of a run; that nothing moves is said once."""
        snapshot = self._live.snapshot(run)
        if not snapshot.is_empty:
            self._idle.discard(run)
        elif run in self._idle:
            return ""
        else:
            self._idle.add(run)
        return snapshot.to_text()
