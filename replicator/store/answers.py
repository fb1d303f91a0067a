"""Answers: what requests were told that may come a second time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, insert, select, update

from replicator.store.database import Database
from replicator.store.operating_tables import idempotent_answer
from replicator.values import dataclass

_KEEP: Final = timedelta(days=1)
# A request that has had no answer for so long has lost its process.
_GIVEN_UP: Final = timedelta(minutes=5)
_UNDER_WAY: Final = 0


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What a request of *request_hash* was told; ``status`` is 0 while it is under way."""

    request_hash: str
    status: int
    body: Any


class Answers:
    """Keeps answers for a day, by a key that whoever asks chooses."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(
        self, key: str, actor: str, request_hash: str, now: datetime
    ) -> KeptAnswer | None:
        """Take up a request; None if nobody has, else what became of it."""
        table = idempotent_answer
        mine = (table.c.key == key, table.c.actor == actor)
        async with self._database.writing() as connection:
            lost = (table.c.status == _UNDER_WAY, table.c.at < now - _GIVEN_UP)
            await connection.execute(delete(table).where(table.c.at < now - _KEEP))
            await connection.execute(delete(table).where(*mine, *lost))
            found = (await connection.execute(select(table).where(*mine))).one_or_none()
            if found is not None:
                return KeptAnswer(found.request_hash, found.status, found.body)
            row = {"key": key, "actor": actor, "request_hash": request_hash}
            await connection.execute(
                insert(table), {**row, "status": _UNDER_WAY, "body": None, "at": now}
            )
        return None

    async def keep(self, key: str, actor: str, status: int, body: Any) -> None:
        """Keep the answer to a request that was taken up."""
        table = idempotent_answer
        async with self._database.writing() as connection:
            await connection.execute(
                update(table)
                .where(table.c.key == key, table.c.actor == actor)
                .values(status=status, body=body)
            )

    async def give_up(self, key: str, actor: str) -> None:
        """Forget a request that came to nothing, so that it may come again."""
        table = idempotent_answer
        async with self._database.writing() as connection:
            await connection.execute(
                delete(table).where(table.c.key == key, table.c.actor == actor)
            )
