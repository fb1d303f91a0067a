"""ContentCheck: whether a rule wants a tag for what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from replicator.oci.digest import Digest
from replicator.planning.content import ContentFilter, Refused
from replicator.planning.observation import SourceTag
from replicator.registry.protocols import RepositoryReader
from replicator.service.looking.content_reading import read_content
from replicator.service.looking.observing import Sighting
from replicator.service.records.run_notes import RunNotes
from replicator.service.running.run_context import Handling
from replicator.transfer.sides import reading_source


class ContentCheck:
    """Checks one tag; manifests are read only of a digest that is new to its destination.

    ``reason`` is why the tag was turned down, if it was.
    """

    def __init__(
        self,
        reader: RepositoryReader,
        content: ContentFilter,
        handling: Handling,
        notes: RunNotes,
        rule: str,
    ) -> None:
        self._reader = reader
        self._filter = content
        self._platforms = handling.platforms
        self._scope = handling.scope
        self._notes = notes
        self._rule = rule
        self.reason = ""

    async def left(
        self, source: SourceTag, sightings: Sequence[Sighting]
    ) -> tuple[SourceTag, Sequence[Sighting]]:
        """Return the source with its digest, and the *sightings* that are wanted.

        Raises TransferFailed.
        """
        digest = source.digest
        if digest is None:
            with reading_source():
                digest = (await self._reader.resolve(source.tag)).digest
        left = [each for each in sightings if await self._wants(digest, each)]
        return replace(source, digest=digest), left

    async def _wants(self, digest: Digest, sighting: Sighting) -> bool:
        row, wanted = sighting.goal.row, sighting.goal.wanted
        if row is not None and row.source_digest == digest and row.scope == self._scope:
            return True  # It was published, so it was wanted.
        key = (wanted.destination, wanted.tag)
        known = self._notes.refusal(*key, digest, self._filter.text)
        refusal = await self._read(digest) if known is None else known
        if not refusal:
            self._notes.accepted(*key)
            return True
        self.reason = refusal
        self._notes.refused(Refused(*key, self._rule, digest, self._filter.text, refusal))
        return False

    async def _read(self, digest: Digest) -> str:
        """Read an image and say what is wrong with it; empty if nothing is."""
        with reading_source():
            content = await read_content(
                self._reader,
                digest,
                platforms=self._platforms,
                labels=self._filter.needs_labels,
            )
        return self._filter.refusal(content)
