"""LedgerReader: what is known of tags, asked of the ledger for many repositories at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.observation import Published
from replicator.service.outside.protocols import Ledger
from replicator.transfer.gathering import Gathering

_Question: TypeAlias = tuple[RepositoryName, Collection[Tag]]


class LedgerReader:
    """Answers questions about tags; those that come while one is answered go together.

    A thousand small repositories would otherwise ask the database a thousand times.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._questions = Gathering(self._answer_all)

    async def published(
        self, destination: RepositoryName, tags: Collection[Tag]
    ) -> Mapping[Tag, Published]:
        """Return the rows of *tags* of one repository, as far as there are any."""
        return await self._questions.ask((destination, tags))

    async def _answer_all(self, questions: Sequence[_Question]) -> list[dict[Tag, Published]]:
        wanted: dict[RepositoryName, set[Tag]] = {}
        for destination, tags in questions:
            wanted.setdefault(destination, set()).update(tags)
        rows = await self._ledger.published_tags(wanted)
        return [
            {tag: rows[destination, tag] for tag in tags if (destination, tag) in rows}
            for destination, tags in questions
        ]
