"""LedgerInventory: the places of blobs, in memory first and in the ledger behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName
from replicator.store.ledger import Ledger
from replicator.transfer.gathering import Gathering

# So many new places are kept in memory before they are written. A process that is killed loses
# them, and asks the registry again the next time.
_BATCH: Final = 200
# What is in memory is looked up anew after so long: it would grow with the life of a service, and
# grow old.
_KEEP: Final = timedelta(hours=1)

_Key: TypeAlias = tuple[str, Digest]
_Place: TypeAlias = tuple[RepositoryName, Digest]
_Question: TypeAlias = tuple[str, Collection[Digest]]


class LedgerInventory:
    """An inventory that outlives the process.

    Each digest is looked up in the ledger once; from then on memory knows. What is asked for
    while a look-up is under way goes into the next one. What is new is written in batches, when
    the next question is asked, and by ``flush``, which whoever made the inventory calls at the
    end. *clock* gives the time in UTC. A blob that was last seen longer ago than *trusted_for*
    is not known any more: the registry may have collected it.
    """

    def __init__(
        self, ledger: Ledger, clock: Callable[[], datetime], *, trusted_for: timedelta
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._trusted_for = trusted_for
        self._began = clock()
        self._holders: dict[_Key, set[str]] = {}
        self._loaded: set[_Key] = set()
        self._questions = Gathering(self._load)
        # Forgotten in this process: what the ledger still says of them is not believed.
        self._gone: dict[_Key, set[str]] = {}
        self._to_record: dict[_Place, Descriptor] = {}
        self._to_forget: set[_Place] = set()
        self._flushing = asyncio.Lock()

    async def holders(
        self, registry: str, digests: Collection[Digest]
    ) -> Mapping[Digest, frozenset[str]]:
        if self._clock() - self._began >= _KEEP:
            await self._start_over()
        elif len(self._to_record) + len(self._to_forget) >= _BATCH:
            await self.flush()
        if any((registry, digest) not in self._loaded for digest in digests):
            await self._questions.ask((registry, digests))
        # One that is not there was dropped meanwhile: not to know it costs a request, no more.
        return {digest: frozenset(self._holders.get((registry, digest), ())) for digest in digests}

    def note(self, repository: RepositoryName, blob: Descriptor) -> None:
        key = (repository.registry, blob.digest)
        self._holders.setdefault(key, set()).add(repository.path)
        self._gone.get(key, set()).discard(repository.path)
        self._to_record[repository, blob.digest] = blob
        self._to_forget.discard((repository, blob.digest))

    def forget(self, repository: RepositoryName, digest: Digest) -> None:
        key = (repository.registry, digest)
        self._holders.get(key, set()).discard(repository.path)
        self._gone.setdefault(key, set()).add(repository.path)
        self._to_record.pop((repository, digest), None)
        self._to_forget.add((repository, digest))

    async def flush(self) -> None:
        """Write what the ledger does not know yet; kept for the next time when that fails."""
        async with self._flushing:
            recorded, self._to_record = self._to_record, {}
            forgotten, self._to_forget = self._to_forget, set()
            try:
                await self._write(recorded, forgotten)
            except BaseException:
                self._take_back(recorded, forgotten)
                raise

    async def _start_over(self) -> None:
        """Write what is new, and keep nothing in memory that the ledger knows."""
        self._began = self._clock()
        await self.flush()
        self._holders.clear()
        self._loaded.clear()
        self._gone.clear()
        # What was learnt while the rest was written is not in the ledger yet.
        for repository, digest in self._to_record:
            self._holders.setdefault((repository.registry, digest), set()).add(repository.path)
        for repository, digest in self._to_forget:
            self._gone.setdefault((repository.registry, digest), set()).add(repository.path)

    async def _write(
        self, recorded: Mapping[_Place, Descriptor], forgotten: Collection[_Place]
    ) -> None:
        if forgotten:
            await self._ledger.forget_blobs(forgotten)
        if recorded:
            blobs = [(repository, blob) for (repository, _), blob in recorded.items()]
            await self._ledger.record((), blobs, at=self._clock())

    def _take_back(
        self, recorded: Mapping[_Place, Descriptor], forgotten: Collection[_Place]
    ) -> None:
        """Put back what could not be written, unless the opposite was learnt meanwhile."""
        for place, blob in recorded.items():
            if place not in self._to_forget:
                self._to_record.setdefault(place, blob)
        self._to_forget |= {place for place in forgotten if place not in self._to_record}

    async def _load(self, questions: Sequence[_Question]) -> list[None]:
        asked: dict[str, set[Digest]] = {}
        for registry, digests in questions:
            asked.setdefault(registry, set()).update(digests)
        for registry, digests in asked.items():
            unknown = [digest for digest in digests if (registry, digest) not in self._loaded]
            if unknown:
                await self._look_up(registry, unknown)
        return [None] * len(questions)

    async def _look_up(self, registry: str, digests: Collection[Digest]) -> None:
        since = self._clock() - self._trusted_for
        found = await self._ledger.holders(registry, digests, since=since)
        for digest, paths in found.items():
            key = (registry, digest)
            self._holders.setdefault(key, set()).update(paths - self._gone.get(key, set()))
            self._loaded.add(key)
