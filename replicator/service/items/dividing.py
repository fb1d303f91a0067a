"""Dividing: from the repositories of a run to items that workers share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Final

from replicator.errors import InvalidReference, LayoutError, RegistryError
from replicator.oci.reference import RepositoryName
from replicator.planning.prepared import PreparedRule
from replicator.service.items.attempt import Attempt
from replicator.service.items.item_book import Items
from replicator.service.looking.discovering import discover_some
from replicator.service.processes.steps import PassStep, Step
from replicator.service.running.means import Means
from replicator.store.item_records import Claim, Piece
from replicator.transfer.sides import SOURCE

# Items that are written in one transaction: the first of them begin while others are looked for.
_BATCH: Final = 100


async def divide(
    attempt: Attempt,
    rule: PreparedRule,
    means: Means,
    items: Items,
    pass_step: PassStep,
    wake: Callable[[], None],
) -> Claim | None:
    """Write items for all repositories of a run; after a crash, for those that have none yet.

    *wake* tells the workers of this process. Raises StoreError.
    """
    known = await items.known_repositories(attempt.claim)
    found: list[RepositoryName] = []

    async def write(pieces: Sequence[Piece]) -> None:
        if not pieces:
            return
        await items.add(attempt.claim, pieces, means.clock())
        pass_step(Step.AFTER_LISTING_BATCH)
        wake()

    try:
        async for name in discover_some(rule, attempt.shared.only, means.registries):
            if str(name) not in known:
                found.append(name)
            if len(found) >= _BATCH and rule.keeps_repositories_apart:
                await write([Piece((each,)) for each in found])
                found.clear()
    except (RegistryError, LayoutError) as error:
        attempt.journal.miss(rule.rule.source, error, side=SOURCE)
    await write(grouped(found, rule))
    pass_step(Step.AFTER_LISTING)
    return await attempt.finish()


def grouped(names: Sequence[RepositoryName], rule: PreparedRule) -> Sequence[Piece]:
    """Return a piece for each repository; those that may meet at a destination are together.

    Only who has all that is mapped to a repository sees when two would write one tag.
    """
    if rule.keeps_repositories_apart:
        return [Piece((name,)) for name in names]
    groups: dict[int, list[RepositoryName]] = {}
    at: dict[RepositoryName, int] = {}
    fresh = count()
    for name in names:
        destinations = _destinations(name, rule)
        number, members = next(fresh), [name]
        for other in {at[each] for each in destinations if each in at}:
            members = groups.pop(other) + members
            at = {place: number if group == other else group for place, group in at.items()}
        groups[number] = members
        at |= dict.fromkeys(destinations, number)
    return [Piece(tuple(members)) for members in groups.values()]


def _destinations(name: RepositoryName, rule: PreparedRule) -> Sequence[RepositoryName]:
    """Return where a repository goes; nowhere, if its mapping is of no use."""
    try:
        return [route.destination for route in rule.routes(name)]
    except InvalidReference:
        return ()
