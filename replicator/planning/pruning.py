"""Whether a tag that the source lost may be removed from the destination: only on proof."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.observation import DestinationTag, Presence, Published
from replicator.planning.plan import Action, Decision
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class Missing:
    """A destination tag whose source is gone, and which run saw that first."""

    destination: RepositoryName
    tag: Tag
    rule: str
    since: datetime
    run: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a tag that the source's listing lacks.

    *listed* is how many tags the listing had; None when it broke off, or there was none.
    *source* is what the source said when it was asked for the very tag, *seen* what the
    destination holds. *deletes_tags* says whether the destination can delete a tag and nothing
    else.
    """

    published: Published | None
    listed: int | None
    source: Presence
    seen: DestinationTag
    missing: Missing | None
    deletes_tags: bool


@dataclass(frozen=True, slots=True)
class PrunePolicy:
    """What a rule says about removing: who it is, and how long a tag has to be missing."""

    rule: str
    prune_after: timedelta


def judge(
    evidence: Evidence, policy: PrunePolicy, *, run: str, now: datetime
) -> tuple[Decision, str]:
    """Return PRUNE if all conditions hold, and else what speaks against it.

    SKIP leaves the tag for a later run, CONFLICT and BLOCKED for a person. (I-6: deletes only on
    proof)
    """
    ours = evidence.published
    if ours is None or ours.rule != policy.rule:
        return Decision.SKIP, "was not published by this rule"
    if not evidence.listed:
        return Decision.SKIP, "the source's list of tags is empty or not complete"
    match evidence.source:
        case Presence.PRESENT:
            return Decision.SKIP, "the source still has it, although it does not list it"
        case Presence.UNKNOWN:
            return Decision.SKIP, "the source did not say whether it still has it"
    seen = evidence.missing
    if seen is None or seen.run == run or now - seen.since < policy.prune_after:
        since = seen.since if seen else now
        return Decision.SKIP, (
            f"gone from the source, first seen {since:%Y-%m-%d %H:%M}; "
            f"removed by a run after {since + policy.prune_after:%Y-%m-%d %H:%M} UTC"
        )
    if evidence.seen.presence is Presence.UNKNOWN:
        return Decision.SKIP, "nobody could see what the destination has"
    if evidence.seen.presence is Presence.ABSENT:
        return Decision.SKIP, "is gone from the destination as well"
    if evidence.seen.digest != ours.digest:
        return Decision.CONFLICT, "gone from the source, but somebody else moved it meanwhile"
    if not evidence.deletes_tags:
        host = ours.destination.registry
        return Decision.BLOCKED, (
            "gone from the source, but the destination is not known to delete a tag alone; "
            "deleting by digest could take other tags with it. If it can, name its kind, such as "
            f'kind = "distribution" for distribution 3, in [registries."{host}"]'
        )
    return Decision.PRUNE, f"gone from the source since {seen.since:%Y-%m-%d %H:%M} UTC"


def prune_action(published: Published, decision: Decision, reason: str) -> Action:
    """Return the action for a tag whose source is gone."""
    return Action(
        decision,
        reason,
        published.destination,
        published.tag,
        None,
        None,
        None,
        found=DestinationTag(Presence.PRESENT, published.digest),
    )


def hold_back(action: Action, *, why: str) -> Action:
    """Return a removal as one that waits for a person."""
    return replace(action, decision=Decision.BLOCKED, reason=f"{action.reason}, but {why}")


def why_held(removals: int, published: int, *, max_prune: int) -> str:
    """Say why so many removals at once need a person; empty if they do not.

    *published* is how many tags the rule has published where they would be removed.
    """
    if removals > max_prune:
        return (
            f"{removals} tags would be removed, more than max_prune = {max_prune}; "
            "look at `replicate plan --out FILE`, then `replicate apply-plan FILE`"
        )
    if removals and removals >= published:
        return (
            "all that the rule published would be removed; "
            "look at `replicate plan --out FILE`, then `replicate apply-plan FILE`"
        )
    return ""
