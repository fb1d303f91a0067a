"""LiveNews: what moves in runs, told from process to process by a server, and kept nowhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Final

from sqlalchemy import ARRAY, Text, bindparam, func, select

from replicator.store.database import Database
from replicator.store.notices import CHANGES, notices

# The first word of the notice that somebody watches a run.
WATCHED: Final = "watched"
_CHANNEL: Final = "replicator_live"


class LiveNews:
    """Carries questions to those who copy, and their answers to those who asked.

    Whatever gets lost on the way is asked, and said, again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(self, runs: Collection[str], *, who: str) -> None:
        """Say to all workers that *who* wants to know what moves in *runs*. Raises StoreError."""
        await self._send(CHANGES, [f"{WATCHED} {run} {who}" for run in runs])

    async def say(self, texts: Sequence[str]) -> None:
        """Answer all who asked; each text is shorter than 8,000 bytes. Raises StoreError."""
        await self._send(_CHANNEL, texts)

    def heard(self) -> AsyncIterator[str]:
        """Yield each answer, without end."""
        return notices(self._database.dsn, _CHANNEL)

    async def _send(self, channel: str, texts: Sequence[str]) -> None:
        async with self._database.writing() as connection:
            await connection.execute(_SEND, {"channel": channel, "texts": list(texts)})


_text: Final = func.unnest(bindparam("texts", type_=ARRAY(Text))).column_valued("text")
_SEND: Final = select(func.pg_notify(bindparam("channel"), _text))
