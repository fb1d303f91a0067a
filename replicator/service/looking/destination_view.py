"""DestinationView: what a run has seen of one destination repository."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from replicator.errors import Denied, NotFound, ReplicatorError, Unauthorized
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.observation import DestinationTag, Presence
from replicator.service.outside.protocols import Repository

# So many tags that the ledger does not know are each copied without asking first: the copy finds
# out on the way. With more of them one listing is cheaper than what those copies would read.
_FEW: Final = 7

ABSENT: Final = DestinationTag(Presence.ABSENT)
UNKNOWN: Final = DestinationTag(Presence.UNKNOWN)


class DestinationView:
    """Looks at a destination with as few requests as will do, and never with a GET of a manifest.

    A GET would count as a pull there, and keep images alive that nobody pulls.
    """

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._unknown = 0
        self._listed: set[Tag] | None = None
        self._is_complete = False
        self._looking = asyncio.Lock()

    @property
    def name(self) -> RepositoryName:
        return self.repository.name

    async def expect(self, unknown: int) -> None:
        """Prepare for so many tags more that the ledger does not know: list once, if it pays."""
        self._unknown += unknown
        async with self._looking:
            if self._listed is None and self._unknown > _FEW:
                await self._list()

    def presence(self, tag: Tag) -> Presence:
        """Say what the listing says of *tag*; UNKNOWN where there is none, or not all of it."""
        if self._listed is not None and tag in self._listed:
            return Presence.PRESENT
        return Presence.ABSENT if self._is_complete else Presence.UNKNOWN

    async def look(self, tag: Tag) -> DestinationTag:
        """Ask what *tag* names. Who may only push is told UNKNOWN. Raises ReplicatorError."""
        try:
            return await self.ask(tag)
        except (Unauthorized, Denied):
            return UNKNOWN

    async def ask(self, tag: Tag) -> DestinationTag:
        """Ask what *tag* names. Raises ReplicatorError, also to who may only push."""
        try:
            descriptor = await self.repository.resolve(tag)
        except NotFound:
            return ABSENT
        return DestinationTag(Presence.PRESENT, descriptor.digest)

    async def _list(self) -> None:
        self._listed = set()
        # A listing that fails leaves the tags unknown. If the destination is out of order, the
        # copies will say so, each for its own tag.
        with suppress(ReplicatorError):
            try:
                async for page in self.repository.list_tags():
                    self._listed.update(page)
                self._is_complete = True
            except NotFound:
                self._is_complete = True
