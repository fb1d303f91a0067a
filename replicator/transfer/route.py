"""Route: from where to where the blobs of one destination of an order go."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName
from replicator.registry.protocols import RepositoryReader, RepositoryWriter
from replicator.transfer.roll import Roll
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class Route:
    """One source, one destination, and who travels along.

    ``opened`` is awaited when an upload is open and before its bytes flow: from then on it is
    certain that the destination lacks the blob. ``flowed`` hears how many more bytes of a blob were
    taken, or fewer when some were lost. ``group`` outlives the destinations of the
    order, so what serves several of them runs in it.
    """

    source: RepositoryReader
    writer: RepositoryWriter
    roll: Roll
    group: asyncio.TaskGroup
    opened: Callable[[], Awaitable[None]]
    flowed: Callable[[Digest, int], None]

    @property
    def destination(self) -> RepositoryName:
        return self.writer.name
