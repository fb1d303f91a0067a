"""Notifier: looks now and then how rules stand, and tells whoever wants to know."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec

from replicator.errors import NotDelivered, ReplicatorError
from replicator.notify.message import Message
from replicator.notify.settings import Channel
from replicator.notify.telling import Notice, Occasion, State, Told, Topic, next_told
from replicator.store.notifications import Key
from replicator.store.records import LatestRun

_log = logging.getLogger(__name__)

# Seconds between two looks.
_EVERY: Final = 10.0
# Notices of one message.
_MOST: Final = 50
_WORST_FIRST: Final = (Occasion.FAILURE, Occasion.LAG, Occasion.RECOVERY, Occasion.CHANGE)


class Kept(Protocol):
    """Remembers what was told."""

    async def latest_runs(self) -> Sequence[LatestRun]: ...

    async def change(
        self, channels: Iterable[str], decide: Callable[[Mapping[Key, Any]], Mapping[Key, Any]]
    ) -> None: ...

    async def claim(self, channel: str, most: int, now: datetime) -> Mapping[Key, Any]: ...

    async def arrived(self, claimed: Mapping[Key, Any], now: datetime) -> None: ...

    async def put_off(self, claimed: Mapping[Key, Any], error: str, now: datetime) -> None: ...

    async def forget_others(self, channels: Sequence[str]) -> None: ...


class Post(Protocol):
    """Sends messages."""

    async def send(self, channel: Channel, message: Message) -> None: ...


class Notifier:
    """Any number of these may share a database: a message is sent by one of them."""

    def __init__(
        self,
        channels: Sequence[Channel],
        *,
        kept: Kept,
        post: Post,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._channels = channels
        self._kept = kept
        self._post = post
        self._clock = clock
        self._sleep = sleep

    async def run(self) -> None:
        """Look and tell until cancelled; whatever goes wrong is no concern of runs."""
        is_first = True
        while True:
            await self._sleep(_EVERY)
            try:
                if is_first:
                    await self._kept.forget_others([channel.name for channel in self._channels])
                is_first = False
                if self._channels:
                    await self.look()
            except ReplicatorError as error:
                _log.warning("nobody was told", extra={"error": str(error)})

    async def look(self) -> None:
        """Look once, and tell what is due."""
        standings = await self._kept.latest_runs()
        now = self._clock()
        names = [channel.name for channel in self._channels]
        await self._kept.change(names, lambda known: self._decide(known, standings, now))
        async with asyncio.TaskGroup() as group:
            for channel in self._channels:
                group.create_task(self._tell(channel))

    def _decide(
        self, known: Mapping[Key, Any], standings: Sequence[LatestRun], now: datetime
    ) -> Mapping[Key, Any]:
        changed = {}
        for channel in self._channels:
            for standing in standings:
                if not channel.is_about(standing.rule):
                    continue
                for topic in Topic:
                    key = (channel.name, standing.rule, topic.value)
                    before = _told(known[key]) if key in known else None
                    after = next_told(topic, standing, before, channel.on, now)
                    if after is not None and after != before:
                        changed[key] = _columns(after, known.get(key))
        return changed

    async def _tell(self, channel: Channel) -> None:
        """Tell what is due over one channel; what goes wrong there is no concern of others."""
        try:
            await self._deliver(channel)
        except ReplicatorError as error:
            _log.warning("notice not kept", extra={"channel": channel.name, "error": str(error)})
        except Exception:
            # What was claimed is due again after a while.
            _log.exception("notice not delivered", extra={"channel": channel.name})

    async def _deliver(self, channel: Channel) -> None:
        claimed = await self._kept.claim(channel.name, _MOST, self._clock())
        if not claimed:
            return
        try:
            await self._post.send(channel, _message(claimed))
        except NotDelivered as error:
            told = {"channel": channel.name, "error": str(error)}
            _log.warning("notice not delivered", extra=told)
            await self._kept.put_off(claimed, str(error), self._clock())
        else:
            await self._kept.arrived(claimed, self._clock())
            _log.info("notice delivered", extra={"channel": channel.name, "notices": len(claimed)})


def _told(row: Mapping[str, Any]) -> Told:
    pending = msgspec.convert(row["pending"], Notice) if row["is_pending"] else None
    return Told(
        Topic(row["topic"]),
        State(row["state"]),
        row["since"],
        row["run"],
        row["next_try_at"],
        State(row["told"]),
        row["told_at"],
        pending,
    )


def _columns(told: Told, row: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what is kept; a notice that is new is tried anew."""
    return {
        "state": told.state.value,
        "told": told.told.value,
        "since": told.since,
        "run": told.run,
        "told_at": told.told_at,
        "pending": None if told.pending is None else msgspec.to_builtins(told.pending),
        "is_pending": told.pending is not None,
        "attempts": 0,
        "next_try_at": told.due_at,
        "error": row["error"] if row else "",
    }


def _message(claimed: Mapping[Key, Any]) -> Message:
    notices = [
        (Topic(topic), msgspec.convert(row["pending"], Notice))
        for (_, _, topic), row in claimed.items()
    ]
    return Message(
        sorted(notices, key=lambda each: (_WORST_FIRST.index(each[1].occasion), each[1].rule))
    )
