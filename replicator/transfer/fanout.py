"""Fan-out: one read of a blob that feeds every destination which is ready for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from typing import Final

from replicator.errors import ReplicatorError
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName
from replicator.oci.verify import Verifier
from replicator.registry.protocols import Piece, RepositoryReader
from replicator.transfer.concurrency import Signal
from replicator.transfer.reading import read_from
from replicator.transfer.roll import Roll
from replicator.transfer.route import Route
from replicator.transfer.sides import reading_source

# Seconds that the first destination waits for the others to say whether they need the blob.
_GRACE: Final = 4.0
# In bytes; so far may one destination be behind the fastest before the read waits for it.
_WINDOW: Final = 4 * 1024 * 1024
# Seconds that one destination may hold up the others, with a share of the time that the blob
# takes on top: whoever is half as fast as the others may stay. Then it reads the rest for itself,
# which the source pays for. On a busy machine every destination is slow for a second now and then.
_PATIENCE: Final = 3.0
_SHARE: Final = 0.5


class Fanouts:
    """The reads that have not begun yet, and so are open to more destinations.

    *changed* tells those who wait that somebody joined, or will not come.
    """

    def __init__(self) -> None:
        self.changed = Signal()
        # Destinations that kept others waiting; nobody waits for them until they turn up.
        self.late: set[RepositoryName] = set()
        self._open: dict[tuple[RepositoryName, Digest], Fanout] = {}

    def join(self, blob: Descriptor, route: Route) -> Fanout:
        """Return the read of *blob* that the route's destination may take part in."""
        key = (route.source.name, blob.digest)
        return self._open.setdefault(key, Fanout(blob, self, route.source.name))

    def close(self, fanout: Fanout) -> None:
        """Let nobody else join *fanout*."""
        key = (fanout.source, fanout.blob.digest)
        if self._open.get(key) is fanout:
            del self._open[key]


class Fanout:
    """One read of one blob.

    It begins when no destination on the rolls of those who joined is undecided, or late. A
    single destination is then fed without a copy. Several share copies of the pieces, within a
    bounded window; who falls out of it for too long goes on with a read of its own, from where
    it stands.
    """

    def __init__(self, blob: Descriptor, fanouts: Fanouts, source: RepositoryName) -> None:
        self.blob = blob
        self.source = source
        self.verifier = Verifier(blob)
        self._fanouts = fanouts
        self._receivers: list[_Receiver] = []
        self._started = False
        self._shared = False
        self._ended = False
        self._failure: ReplicatorError | None = None
        self._moved = Signal()
        self._started_at = 0.0

    async def pieces(self, route: Route) -> AsyncGenerator[Piece, None]:
        """Yield the blob to the route's destination, which is ready for it now."""
        receiver = _Receiver(route.destination, route.roll)
        self._receivers.append(receiver)
        self._fanouts.late.discard(route.destination)
        self._fanouts.changed.send()
        try:
            await self._wait_for_company()
            if not self._started:
                self._start(route)
            if self._shared:
                async with aclosing(self._shared_pieces(receiver)) as pieces:
                    async for piece in pieces:
                        yield piece
        finally:
            self._leave(receiver)
        if receiver.offset < self.blob.size:
            verifier = self.verifier.fork(receiver.offset) if self._shared else self.verifier
            rest = read_from(route.source, verifier, receiver.offset)
            async with aclosing(rest) as pieces:
                async for piece in pieces:
                    yield piece

    async def _wait_for_company(self) -> None:
        try:
            async with asyncio.timeout(_GRACE):
                while not self._started and self._awaited():
                    await self._fanouts.changed.wait()
        except TimeoutError:
            self._fanouts.late |= self._awaited()

    def _awaited(self) -> set[RepositoryName]:
        """Return who may want the blob too and has not said so yet."""
        digest = self.blob.digest
        undecided = set().union(*(each.roll.undecided(digest) for each in self._receivers))
        joined = {each.repository for each in self._receivers}
        return undecided - joined - self._fanouts.late

    def _start(self, route: Route) -> None:
        self._started = True
        self._shared = len(self._receivers) > 1
        self._started_at = asyncio.get_running_loop().time()
        self._fanouts.close(self)
        self._fanouts.changed.send()
        if not self._shared:
            return
        feeding = self._feed(route.source)
        try:
            route.group.create_task(feeding)
        except RuntimeError:
            # Its order is being cancelled, and this task soon will be; the others read alone.
            feeding.close()
            self._ended = True

    async def _feed(self, source: RepositoryReader) -> None:
        """Read the blob once and hand each piece to all receivers."""
        try:
            with reading_source():
                async with source.read_blob(self.blob, verifier=self.verifier) as pieces:
                    async for piece in pieces:
                        await self._wait_for_room()
                        if not self._attached():
                            break
                        self._hand_out(bytes(piece))
        except ReplicatorError as error:
            self._failure = error
        finally:
            self._ended = True
            self._moved.send()

    def _hand_out(self, piece: bytes) -> None:
        for receiver in self._attached():
            receiver.queue.append(piece)
            receiver.queued += len(piece)
        self._moved.send()

    async def _wait_for_room(self) -> None:
        """Wait until nobody is a window behind; let go of those who hold up others too long."""
        while full := [each for each in self._attached() if each.queued >= _WINDOW]:
            if all(receiver.queue for receiver in self._attached()):
                await self._moved.wait()
            else:
                await self._wait_for(full)

    async def _wait_for(self, slow: Sequence[_Receiver]) -> None:
        """Wait for those who hold up others, until something moves or somebody is too slow.

        Each is blamed for itself: of several that are slow in turn, none is slow for long.
        """
        now = asyncio.get_running_loop().time
        began = now()
        patience = _PATIENCE + _SHARE * (began - self._started_at)
        with suppress(TimeoutError):
            async with asyncio.timeout(patience - max(each.held_up for each in slow)):
                await self._moved.wait()
        for receiver in slow:
            receiver.held_up += now() - began
            if receiver.held_up >= patience:
                receiver.attached = False
                self._moved.send()

    async def _shared_pieces(self, receiver: _Receiver) -> AsyncGenerator[Piece, None]:
        """Yield what is handed out, until all is, or the receiver is on its own."""
        while True:
            while receiver.queue:
                piece = receiver.take()
                self._moved.send()
                yield piece
            if self._failure is not None:
                raise self._failure
            if self._ended or not receiver.attached:
                return
            await self._moved.wait()

    def _attached(self) -> list[_Receiver]:
        return [receiver for receiver in self._receivers if receiver.attached]

    def _leave(self, receiver: _Receiver) -> None:
        self._receivers.remove(receiver)
        self._moved.send()
        if not self._receivers:
            self._fanouts.close(self)


class _Receiver:
    """A destination that takes part: how far it is, and what it did not take yet.

    ``held_up`` is how many seconds it kept others from going on.
    """

    def __init__(self, repository: RepositoryName, roll: Roll) -> None:
        self.repository = repository
        self.roll = roll
        self.queue: deque[bytes] = deque()
        self.queued = 0
        self.offset = 0
        self.held_up = 0.0
        self.attached = True

    def take(self) -> bytes:
        piece = self.queue.popleft()
        self.queued -= len(piece)
        self.offset += len(piece)
        return piece
