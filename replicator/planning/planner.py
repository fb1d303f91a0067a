"""What to do with each tag: the pure difference between what is wanted and what is there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.observation import DestinationTag, Presence, Published
from replicator.planning.plan import Action, Decision
from replicator.planning.prepared import PreparedRule, Wanted
from replicator.planning.rule import Overwrite
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """A wanted tag with what is known of its destination.

    ``published`` is the ledger's row, if it has one; ``seen`` is what the destination holds, as
    observed or, while the ledger is fresh, as remembered. ``refusal`` is what the destination
    said if it was asked and let nobody look.
    """

    wanted: Wanted
    published: Published | None
    seen: DestinationTag
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a rule says about tags that name something else; see PreparedRule."""

    overwrite: Overwrite = Overwrite.ALWAYS
    is_immutable: Callable[[Tag], bool] = lambda tag: False
    scope: str = ""

    @classmethod
    def of(cls, rule: PreparedRule) -> Policy:
        return cls(rule.rule.overwrite, rule.is_immutable, rule.scope)


class Planner:
    """Plans the tags of one run; remembers who writes what, so that no tag has two writers."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._writers: dict[tuple[RepositoryName, Tag | None], str] = {}
        self._capitals: dict[tuple[RepositoryName, str], Tag] = {}
        self._without_capitals: defaultdict[RepositoryName, set[Tag]] = defaultdict(set)

    def plan(self, candidate: Candidate, *, keeps_tags: bool = False) -> Action:
        """Decide what to do with one tag.

        With *keeps_tags* the tag's name is the source's, so that two tags of one repository
        cannot meet: then one writer is remembered for the repository, not for each tag.
        """
        wanted = candidate.wanted
        other = self._other_writer(wanted, keeps_tags=keeps_tags)
        if other:
            reason = f"{other} is mapped to this tag as well"
            return _action(candidate, Decision.CONFLICT, reason)
        return _action(candidate, *decide(candidate, self._policy))

    def note_capitals(self, wanted: Iterable[Wanted]) -> None:
        """Remember which tags of a batch differ in case alone, from each other or earlier ones.

        The first one stays.
        """
        tags = [(each.destination, each.tag) for each in wanted]
        folded = {(place, tag.lower()) for place, tag in tags if tag != tag.lower()}
        for place, tag in tags:
            if (key := (place, tag.lower())) in folded:
                came_before = key[1] in self._without_capitals[place]
                self._capitals.setdefault(key, Tag(key[1]) if came_before else tag)
        for place, tag in tags:
            if tag == tag.lower():
                self._without_capitals[place].add(tag)

    def namesake(self, wanted: Wanted) -> Tag | None:
        """Return another tag that comes before this one, and differs in case alone."""
        first = self._capitals.get((wanted.destination, wanted.tag.lower()), wanted.tag)
        return None if first == wanted.tag else first

    def _other_writer(self, wanted: Wanted, *, keeps_tags: bool) -> str:
        key = (wanted.destination, None if keeps_tags else wanted.tag)
        tag = "" if keeps_tags else f":{wanted.source_tag.tag}"
        writer = f"{wanted.source}{tag}"
        first = self._writers.setdefault(key, writer)
        return "" if first == writer else first


def decide(candidate: Candidate, policy: Policy) -> tuple[Decision, str]:
    """Return what to do with one tag, and the reason in words."""
    seen, ours = candidate.seen, candidate.published
    source = candidate.wanted.source_tag.digest
    unchanged = _is_unchanged(candidate, policy)
    refusal = candidate.refusal
    unseen = f"the destination could not be looked at: {refusal}" if refusal else ""
    match seen.presence:
        case Presence.ABSENT if ours is None:
            return Decision.COPY, "is not at the destination"
        case Presence.ABSENT:
            return Decision.COPY, "is gone from the destination"
        case Presence.UNKNOWN if policy.overwrite is not Overwrite.ALWAYS:
            return Decision.CONFLICT, unseen or "nobody could see whether the destination has it"
        case Presence.UNKNOWN if ours is None:
            return Decision.COPY, unseen or "was never published"
        case Presence.UNKNOWN if unchanged:
            return Decision.COPY, unseen or "nobody knows whether the destination still has it"
        case Presence.UNKNOWN:
            return Decision.COPY, _moved(ours, source, policy)
    expected = ours.digest if ours and unchanged else _digest_of_whole(source, policy)
    if seen.digest is not None and seen.digest == expected:
        since = f"unchanged since {str(ours.published_at)[:16]}" if ours else ""
        return Decision.SKIP, since or "is already at the destination"
    return _replace(candidate, policy, unchanged=unchanged)


def _replace(candidate: Candidate, policy: Policy, *, unchanged: bool) -> tuple[Decision, str]:
    """Decide about a destination tag that names something else than it should."""
    seen, ours, tag = candidate.seen, candidate.published, candidate.wanted.source_tag
    is_ours = ours is not None and seen.digest == ours.digest
    reason = (
        _moved(ours, tag.digest, policy)
        if is_ours
        else f"the destination has {_short(seen.digest)} instead"
    )
    if policy.is_immutable(tag.tag):
        return Decision.BLOCKED, f"declared immutable, but {reason}"
    match policy.overwrite:
        case Overwrite.NEVER:
            return Decision.CONFLICT, f'{reason}; overwrite = "never"'
        case Overwrite.IF_OURS if not is_ours:
            return Decision.CONFLICT, f'{reason}, which is not ours; overwrite = "if-ours"'
        case _:
            return Decision.COPY, reason


def _is_unchanged(candidate: Candidate, policy: Policy) -> bool:
    """Say whether what was published is what the source has now.

    A tag whose source nobody asked, because it is declared immutable, has not moved.
    """
    ours, source = candidate.published, candidate.wanted.source_tag.digest
    return (
        ours is not None
        and ours.scope == policy.scope
        and (source is None or source == ours.source_digest)
    )


def _digest_of_whole(source: Digest | None, policy: Policy) -> Digest | None:
    """What the destination should have, where that can be told without reading the image."""
    return None if policy.scope else source


def _moved(ours: Published | None, source: Digest | None, policy: Policy) -> str:
    if ours is not None and ours.source_digest == source and ours.scope != policy.scope:
        return f"was published with {ours.scope or 'all platforms'}"
    before = _short(ours.source_digest if ours else None)
    return f"the source moved from {before} to {_short(source)}"


def _short(digest: Digest | None) -> str:
    return "something" if digest is None else f"{digest.algorithm}:{digest.hex[:12]}"


def _action(candidate: Candidate, decision: Decision, reason: str) -> Action:
    wanted = candidate.wanted
    return Action(
        decision,
        reason,
        wanted.destination,
        wanted.tag,
        wanted.source,
        wanted.source_tag.tag,
        wanted.source_tag.digest,
        found=candidate.seen,
    )
