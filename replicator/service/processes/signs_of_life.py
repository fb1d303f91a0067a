"""SignsOfLife: keeps what this process has begun its own, and ends what is not to go on."""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

from replicator.errors import StoreError
from replicator.service.processes.lease import Lease
from replicator.service.processes.moved import Moved
from replicator.service.processes.timing import Timing
from replicator.transfer.order import Tally

_log = logging.getLogger(__name__)


class Leases(Protocol):
    """Remembers whose things are, by their keys."""

    async def renew(
        self, now: datetime, keys: Collection[str], moved: Mapping[str, Tally], /
    ) -> None:
        """Give a sign of life for what of *keys* is this process's, and for nothing else, and
        say what *moved* in runs since the last one."""
        ...

    async def taken(self, keys: Collection[str], /) -> frozenset[str]:
        """Return which of *keys* of this process are another's by now, or wait for one."""
        ...

    async def to_cancel(self) -> frozenset[str]:
        """Return what of this process somebody wants to end."""
        ...


class Ending(enum.Enum):
    """Why something was ended that was under way."""

    CANCELLED = "somebody wants it to end"
    TAKEN = "somebody else has it now"


class SignsOfLife:
    """Renews leases, and ends by itself what somebody cancels or took over.

    *lease* is told when the database took a sign of life. With the signs goes out what has
    ``moved`` in the runs of this process.
    """

    def __init__(
        self,
        leases: Leases,
        *,
        lease: Lease,
        clock: Callable[[], datetime],
        timing: Timing | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._leases = leases
        self._lease = lease
        self._clock = clock
        self._timing = timing or Timing()
        self._sleep = sleep
        self._under_way: dict[str, asyncio.Task[object]] = {}
        self._ended: dict[str, Ending] = {}
        self.moved = Moved()

    def begin(self) -> None:
        """Count the lease from now: whatever took time before is no silence."""
        self._lease.extend(self._lease.now())

    async def keep(self) -> None:
        """Go on until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_leases())
                group.create_task(self._heed_cancellations())
        finally:
            await self._tell_rest()

    async def look(self) -> None:
        """End what somebody wants to end. Raises StoreError."""
        for key in await self._leases.to_cancel():
            self._end(key, Ending.CANCELLED)

    @contextmanager
    def watched(self, key: str) -> Iterator[None]:
        """Let this task be ended by itself while it goes on; without a *key* it is not."""
        task = asyncio.current_task()
        if task is not None and key:
            self._under_way[key] = task
        try:
            yield
        finally:
            self._under_way.pop(key, None)
            self._ended.pop(key, None)

    def let_go(self, key: str) -> None:
        """End this no more: its last words are being written, which only its owner's are.

        Once they are, it would look as if somebody else had it.
        """
        self._under_way.pop(key, None)

    def why_ended(self, key: str) -> Ending | None:
        """Say why this task is being cancelled; then it goes on. None if it was not by itself."""
        task = asyncio.current_task()
        ending = self._ended.get(key)
        return ending if ending and task is not None and task.uncancel() == 0 else None

    def _end(self, key: str, ending: Ending) -> None:
        task = self._under_way.get(key)
        if task is not None and key not in self._ended:
            self._ended[key] = ending
            task.cancel()

    async def _heed_cancellations(self) -> None:
        while True:
            await self._sleep(self._timing.look)
            try:
                await self.look()
            except StoreError as error:
                _log.warning("cancellations not seen", extra={"error": str(error)})

    async def _keep_leases(self) -> None:
        while True:
            await self._sleep(self._timing.renew)
            try:
                await self._give_sign()
            except StoreError as error:
                # The next sign is early enough; if the database stays away, the lease will tell.
                _log.warning("lease not renewed", extra={"error": str(error)})

    async def _tell_rest(self) -> None:
        """Say of what was given back unfinished what had moved since the last sign of life."""
        moved = self.moved.take_rest()
        if not moved:
            return
        try:
            await self._leases.renew(self._clock(), (), moved)
        except StoreError as error:
            _log.warning("not told what moved", extra={"error": str(error)})

    async def _give_sign(self) -> None:
        """Renew the leases, and end what others took for lost before it writes on."""
        under_way, given_at = frozenset(self._under_way), self._lease.now()
        # Nothing else of this process: what it took up without hearing of it, as the connection was
        # cut, has to become somebody's who knows.
        moved = self.moved.take()
        try:
            await self._leases.renew(self._clock(), under_way, moved)
        except BaseException:
            self.moved.put_back(moved)
            raise
        for key in await self._leases.taken(under_way):
            self._end(key, Ending.TAKEN)
        self._lease.extend(given_at)
