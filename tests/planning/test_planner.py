"""Plans: what is decided, and the properties that make a plan trustworthy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.observation import DestinationTag, Presence, Published, SourceTag
from replicator.planning.plan import Action, Decision
from replicator.planning.planner import Candidate, Planner, Policy, decide
from replicator.planning.prepared import Wanted
from replicator.planning.rule import Overwrite

SOURCE = RepositoryName("docker.io", "library/alpine")
DESTINATION = RepositoryName("registry.example.com", "hub/alpine")
TAG = Tag("3.20")
NOW = datetime(2025, 6, 1, tzinfo=UTC)
OLD, NEW, OTHER = Digest.of(b"old"), Digest.of(b"new"), Digest.of(b"other")

ABSENT = DestinationTag(Presence.ABSENT)
UNKNOWN = DestinationTag(Presence.UNKNOWN)


def present(digest: Digest | None) -> DestinationTag:
    return DestinationTag(Presence.PRESENT, digest)


def published(source: Digest, digest: Digest | None = None, scope: str = "") -> Published:
    return Published(
        DESTINATION, TAG, f"{SOURCE}:{TAG}", source, digest or source, "rule", NOW, NOW, scope=scope
    )


def candidate(
    source: Digest | None, ours: Published | None, seen: DestinationTag, tag: Tag = TAG
) -> Candidate:
    return Candidate(Wanted(SOURCE, SourceTag(tag, source), DESTINATION, tag), ours, seen)


def plan_all(candidates: Iterable[Candidate], policy: Policy) -> list[Action]:
    planner = Planner(policy)
    return [planner.plan(each) for each in candidates]


ALWAYS = Policy()
NEVER = Policy(Overwrite.NEVER)
IF_OURS = Policy(Overwrite.IF_OURS)
IMMUTABLE = Policy(is_immutable=lambda tag: True)
ARM = Policy(scope="linux/arm64")


@pytest.mark.parametrize(
    ("source", "ours", "seen", "policy", "decision", "reason"),
    [
        (None, None, ABSENT, ALWAYS, Decision.COPY, "is not at the destination"),
        (None, None, UNKNOWN, ALWAYS, Decision.COPY, "was never published"),
        (NEW, None, ABSENT, NEVER, Decision.COPY, "is not at the destination"),
        (NEW, None, present(NEW), ALWAYS, Decision.SKIP, "is already at the destination"),
        (NEW, None, present(OTHER), ALWAYS, Decision.COPY, "the destination has sha256:"),
        (NEW, None, present(OTHER), NEVER, Decision.CONFLICT, 'overwrite = "never"'),
        (NEW, None, present(OTHER), IF_OURS, Decision.CONFLICT, "which is not ours"),
        (NEW, None, UNKNOWN, NEVER, Decision.CONFLICT, "nobody could see"),
        (NEW, published(NEW), present(NEW), ALWAYS, Decision.SKIP, "unchanged since 2025-06-01"),
        (NEW, published(OLD), present(OLD), ALWAYS, Decision.COPY, "the source moved from"),
        (NEW, published(OLD), present(OLD), IF_OURS, Decision.COPY, "the source moved from"),
        (NEW, published(OLD), present(OLD), NEVER, Decision.CONFLICT, "the source moved from"),
        (NEW, published(OLD), present(NEW), ALWAYS, Decision.SKIP, "unchanged"),
        (NEW, published(NEW), present(OTHER), ALWAYS, Decision.COPY, "instead"),
        (NEW, published(NEW), present(OTHER), IF_OURS, Decision.CONFLICT, "not ours"),
        (NEW, published(NEW), ABSENT, ALWAYS, Decision.COPY, "is gone from the destination"),
        (NEW, published(NEW), UNKNOWN, ALWAYS, Decision.COPY, "nobody knows"),
        (NEW, published(OLD), UNKNOWN, ALWAYS, Decision.COPY, "the source moved from"),
        (None, published(NEW), present(NEW), IMMUTABLE, Decision.SKIP, "unchanged since"),
        (NEW, published(OLD), present(OLD), IMMUTABLE, Decision.BLOCKED, "declared immutable"),
        (NEW, None, present(OTHER), IMMUTABLE, Decision.BLOCKED, "declared immutable"),
        (
            *(NEW, published(NEW, OTHER, scope="linux/arm64"), present(OTHER), ARM),
            *(Decision.SKIP, "unchanged since"),
        ),
        (
            *(NEW, published(OLD, OTHER, scope="linux/arm64"), present(OTHER), ARM),
            *(Decision.COPY, "the source moved from"),
        ),
        (
            *(NEW, published(NEW, OTHER, scope="linux/amd64"), present(OTHER), ARM),
            *(Decision.COPY, "was published with linux/amd64"),
        ),
        (
            *(NEW, published(NEW), present(NEW), ARM),
            *(Decision.COPY, "was published with all platforms"),
        ),
        (NEW, None, present(NEW), ARM, Decision.COPY, "instead"),
    ],
)
def test_the_decision_and_its_reason(source, ours, seen, policy, decision, reason):
    decided, words = decide(candidate(source, ours, seen), policy)

    assert decided is decision
    assert reason in words


@pytest.mark.parametrize(
    ("ours", "policy", "decision", "reason"),
    [
        (None, ALWAYS, Decision.COPY, "the destination could not be looked at: 403"),
        (published(NEW), ALWAYS, Decision.COPY, "the destination could not be looked at: 403"),
        (None, NEVER, Decision.CONFLICT, "the destination could not be looked at: 403"),
        (published(OLD), ALWAYS, Decision.COPY, "the source moved from"),
    ],
)
def test_what_lets_nobody_look_is_quoted_unless_the_source_has_moved(
    ours, policy, decision, reason
):
    refused = replace(candidate(NEW, ours, UNKNOWN), refusal="403")

    decided, words = decide(refused, policy)

    assert decided is decision
    assert words.startswith(reason)


def test_two_tags_that_become_one_have_one_writer():
    first = candidate(NEW, None, ABSENT)
    second = replace(first, wanted=replace(first.wanted, source_tag=SourceTag(Tag("v3.20"), OTHER)))

    one, other = plan_all([first, second], ALWAYS)

    assert one.decision is Decision.COPY
    assert other.decision is Decision.CONFLICT
    assert "docker.io/library/alpine:3.20 is mapped to this tag as well" in other.reason


def test_two_repositories_that_become_one_have_one_writer():
    planner = Planner(ALWAYS)
    first = candidate(NEW, None, ABSENT)
    elsewhere = RepositoryName("docker.io", "team/alpine")
    second = candidate(NEW, None, ABSENT, Tag("3.21"))
    second = replace(second, wanted=replace(second.wanted, source=elsewhere))

    one = planner.plan(first, keeps_tags=True)
    other = planner.plan(second, keeps_tags=True)

    assert (one.decision, other.decision) == (Decision.COPY, Decision.CONFLICT)


digests = st.sampled_from([OLD, NEW, OTHER])
presences = st.one_of(st.just(ABSENT), st.just(UNKNOWN), digests.map(present))
rows = st.none() | st.builds(published, digests, digests, st.sampled_from(["", "linux/arm64"]))
policies = st.builds(
    Policy,
    st.sampled_from(Overwrite),
    st.sampled_from([lambda tag: False, lambda tag: tag == TAG]),
    st.sampled_from(["", "linux/arm64"]),
)
tags = st.sampled_from([Tag("3.20"), Tag("3.21"), Tag("3.22"), Tag("latest")])
candidates = st.builds(candidate, digests, rows, presences, tags)


def apply(each: Candidate, decision: Decision, policy: Policy) -> Candidate:
    """Carry an action out: the destination then has what the rule wants, and the ledger knows."""
    if decision is not Decision.COPY:
        return each
    source = each.wanted.source_tag.digest
    digest = Digest.of(b"only arm64") if policy.scope else source
    return replace(each, published=published(source, digest, policy.scope), seen=present(digest))


@given(st.lists(candidates), policies)
def test_the_same_observations_give_the_same_plan(given_candidates, policy):
    assert plan_all(given_candidates, policy) == plan_all(given_candidates, policy)


@given(candidates, policies)
def test_after_a_copy_there_is_nothing_left_to_do(each, policy):
    (action,) = plan_all([each], policy)

    (again,) = plan_all([apply(each, action.decision, policy)], policy)

    if action.decision is Decision.COPY:
        assert again.decision is Decision.SKIP
    else:
        assert again == action


@given(st.lists(candidates), policies)
def test_no_tag_has_two_writers(given_candidates, policy):
    written = [
        (action.destination, action.tag, action.source_tag)
        for action in plan_all(given_candidates, policy)
        if action.decision is Decision.COPY
    ]

    assert len({(where, tag) for where, tag, _ in written}) == len(set(written))


@given(digests, policies, rows)
def test_an_equal_digest_is_never_copied(digest, policy, row):
    each = candidate(digest, row, present(digest))

    if not policy.scope and (row is None or row.source_digest != digest):
        assert decide(each, policy)[0] is Decision.SKIP


@given(candidates, policies)
def test_nothing_is_ever_pruned_without_proof(each, policy):
    assert decide(each, policy)[0] is not Decision.PRUNE


@given(candidates)
def test_what_is_there_is_never_overwritten_when_the_rule_says_never(each):
    decision, _ = decide(each, NEVER)

    if each.seen.presence is not Presence.ABSENT:
        assert decision is not Decision.COPY


@given(candidates)
def test_only_what_is_ours_is_overwritten_when_the_rule_says_so(each):
    decision, _ = decide(each, IF_OURS)

    if decision is Decision.COPY and each.seen.presence is Presence.PRESENT:
        assert each.published is not None
        assert each.published.digest == each.seen.digest


@given(st.lists(st.lists(st.sampled_from(["v1", "V1", "v2", "V2", "w"]), max_size=4), max_size=4))
def test_of_tags_that_differ_in_case_alone_the_first_stays_however_they_come(batches):
    planner = Planner(Policy())
    came: dict[str, Tag] = {}
    for batch in batches:
        wanted = [Wanted(SOURCE, SourceTag(Tag(tag), None), DESTINATION, Tag(tag)) for tag in batch]
        planner.note_capitals(wanted)
        for each in wanted:
            first = came.setdefault(each.tag.lower(), each.tag)
            assert planner.namesake(each) == (None if first == each.tag else first)
