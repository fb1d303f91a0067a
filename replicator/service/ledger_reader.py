"""LedgerReader: what is known of tags, asked of the ledger for many repositories at once."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.observation import Published
from replicator.service.protocols import Ledger


@dataclass(slots=True)
class _Question:
    destination: RepositoryName
    tags: Collection[Tag]
    answer: dict[Tag, Published] = field(default_factory=dict)
    answered: bool = False


class LedgerReader:
    """Answers questions about tags; those that come while one is answered go together.

    A rule of a thousand small repositories would otherwise ask the database a thousand times.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: list[_Question] = []
        self._turn = asyncio.Lock()

    async def published(
        self, destination: RepositoryName, tags: Collection[Tag]
    ) -> Mapping[Tag, Published]:
        """Return the rows of *tags* of one repository, as far as there are any."""
        question = _Question(destination, tags)
        self._waiting.append(question)
        async with self._turn:
            if not question.answered:
                await self._answer_all()
        return question.answer

    async def _answer_all(self) -> None:
        questions = tuple(self._waiting)
        wanted: dict[RepositoryName, set[Tag]] = {}
        for question in questions:
            wanted.setdefault(question.destination, set()).update(question.tags)
        rows = await self._ledger.published_tags(wanted)
        for question in questions:
            keys = ((question.destination, tag) for tag in question.tags)
            question.answer = {key[1]: rows[key] for key in keys if key in rows}
            question.answered = True
        self._waiting = [question for question in self._waiting if not question.answered]
