"""Processes that write the same rows at once: in the same order, so that none waits for ever."""

from __future__ import annotations

import asyncio

from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName
from replicator.store.database import Database
from replicator.store.dirty import DirtyRepositories
from replicator.store.ledger import Ledger
from tests.store.values import ALPINE, NOON

_NUMBER = 300
_ROUNDS = 3


async def test_blobs_that_two_workers_note_of_one_repository(database: Database) -> None:
    ledger = Ledger(database)
    digests = [Digest.of(str(number).encode()) for number in range(_NUMBER)]
    blobs = [(ALPINE, Descriptor("application/x", digest, 1)) for digest in digests]

    for _ in range(_ROUNDS):
        await asyncio.gather(
            ledger.record((), blobs, at=NOON), ledger.record((), blobs[::-1], at=NOON)
        )
        await asyncio.gather(
            ledger.forget_blobs([(ALPINE, digest) for digest in digests]),
            ledger.forget_blobs([(ALPINE, digest) for digest in reversed(digests)]),
        )


async def test_notices_that_name_the_same_repositories(database: Database) -> None:
    marks = DirtyRepositories(database)
    names = [("base", RepositoryName("registry.example.com", f"r{n}")) for n in range(_NUMBER)]

    for _ in range(_ROUNDS):
        await asyncio.gather(marks.mark(names, NOON), marks.mark(names[::-1], NOON))
