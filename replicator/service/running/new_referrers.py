"""NewReferrers: whether something refers to an unchanged tag that its destination does not have."""

from __future__ import annotations

from replicator.planning.observation import Published
from replicator.registry.protocols import RepositoryReader
from replicator.service.looking.observing import Goal
from replicator.service.running.run_context import Handling, RunContext
from replicator.transfer.sides import reading_source


class NewReferrers:
    """Compares what refers to an image at *source* and at a destination.

    Where tags are listed, signatures are seen there; else it *asks_for_signatures* as well.
    """

    def __init__(
        self,
        context: RunContext,
        source: RepositoryReader,
        handling: Handling,
        *,
        asks_for_signatures: bool,
    ) -> None:
        self._context = context
        self._source = source
        self._handling = handling
        self._asks_for_signatures = asks_for_signatures

    def are_due(self, row: Published) -> bool:
        """Say whether it is time to look again.

        Those of an index that was cut down refer to another digest.
        """
        return (
            self._handling.referrers
            and (row.digest == row.source_digest or self._handling.repoints)
            and self._context.freshness.is_due(row.referrers_at, now=self._context.clock())
        )

    async def are_there(self, goal: Goal, row: Published) -> bool:
        """Say whether the source lists a referrer or signature that the destination does not.

        Raises ReplicatorError, marked where it is the source's.
        """
        if row.digest != row.source_digest:
            return await self._are_to_repoint(goal, row)
        with reading_source():
            referrers = {each.digest for each in await self._source.list_referrers(row.digest)}
            tags = (
                await self._source.signature_tags(row.digest) if self._asks_for_signatures else ()
            )
            signatures = {tag: (await self._source.resolve(tag)).digest for tag in tags}
        if referrers:
            there = await goal.view.repository.list_referrers(row.digest)
            referrers -= {each.digest for each in there}
        if referrers:
            return True
        for tag, digest in signatures.items():
            if (await goal.view.look(tag)).digest != digest:
                return True
        return False

    async def _are_to_repoint(self, goal: Goal, row: Published) -> bool:
        """Say whether the source's index has a referrer that the destination's lacks.

        Those at the destination say which ones they were made from.
        """
        from replicator.transfer.repointing import REPOINTED_FROM, vouches

        with reading_source():
            listed = await self._source.list_referrers(row.source_digest)
        wanted = {str(each.digest) for each in listed if not vouches(each.artifact_type)}
        if not wanted:
            return False
        made = await goal.view.repository.list_referrers(row.digest)
        return not wanted <= {each.annotations.get(REPOINTED_FROM, "") for each in made}
