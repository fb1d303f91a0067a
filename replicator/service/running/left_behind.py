"""What refers to an index that was cut down to some platforms, and stays behind with it."""

from __future__ import annotations

from collections.abc import Sequence

from replicator.errors import ReplicatorError
from replicator.registry.protocols import RepositoryReader
from replicator.transfer.order import Result


async def left_behind(source: RepositoryReader, results: Sequence[Result]) -> str:
    """Say how many referrers of an index are not where it was written with some platforms alone.

    They refer to its digest, which the destination does not have. Empty if there are none.
    """
    pruned = {
        result.source_digest
        for result in results
        if result.written and result.source_digest and result.digest != result.source_digest
    }
    try:
        found = [each for of in pruned for each in await source.list_referrers(of)]
        signed = [each for of in pruned for each in await source.signature_tags(of)]
    except ReplicatorError:
        return "nobody could see whether the index has referrers, which are left behind"
    return left_behind_text(len(found) + len(signed))


def left_behind_text(number: int) -> str:
    """Say that so many referrers were left behind; empty for none."""
    if not number:
        return ""
    return f"{number} of the index's referrers left behind: its digest is another here"


def prefixed(text: str) -> str:
    """Return *text* as it goes on after the reason of an action."""
    return f"; {text}" if text else ""
