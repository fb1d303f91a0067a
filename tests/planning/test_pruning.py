"""Nothing is removed without proof, whatever is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.observation import DestinationTag, Presence, Published
from replicator.planning.plan import Decision
from replicator.planning.pruning import Evidence, Missing, PrunePolicy, judge, why_held

NOW = datetime(2026, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)
PLACE = (RepositoryName("registry.example.com", "app"), Tag("1.0"))
OURS, OTHER = Digest.of(b"ours"), Digest.of(b"other")
ROW = Published(*PLACE, "quay.io/app:1.0", OURS, OURS, "rule", NOW - DAY, NOW - DAY)
MISSING = Missing(*PLACE, "rule", NOW - DAY, "run-1")
POLICY = PrunePolicy("rule", DAY)
PROOF = Evidence(
    ROW, 5, Presence.ABSENT, DestinationTag(Presence.PRESENT, OURS), MISSING, deletes_tags=True
)


def decide(evidence, run="run-2", now=NOW):
    return judge(evidence, POLICY, run=run, now=now)


def test_a_full_proof_removes():
    assert decide(PROOF) == (Decision.PRUNE, "gone from the source since 2026-01-01 00:00 UTC")


@pytest.mark.parametrize(
    ("lacking", "decision", "reason"),
    [
        ({"published": None}, Decision.SKIP, "not published by this rule"),
        ({"published": replace(ROW, rule="other")}, Decision.SKIP, "not published by this rule"),
        ({"listed": None}, Decision.SKIP, "empty or not complete"),
        ({"listed": 0}, Decision.SKIP, "empty or not complete"),
        ({"source": Presence.PRESENT}, Decision.SKIP, "still has it"),
        ({"source": Presence.UNKNOWN}, Decision.SKIP, "did not say"),
        ({"missing": None}, Decision.SKIP, "removed by a run after 2026-01-03"),
        ({"missing": replace(MISSING, run="run-2")}, Decision.SKIP, "removed by a run after"),
        (
            {"missing": replace(MISSING, since=NOW - DAY + timedelta(seconds=1))},
            Decision.SKIP,
            "removed by a run after 2026-01-02",
        ),
        ({"seen": DestinationTag(Presence.UNKNOWN)}, Decision.SKIP, "nobody could see"),
        ({"seen": DestinationTag(Presence.ABSENT)}, Decision.SKIP, "as well"),
        (
            {"seen": DestinationTag(Presence.PRESENT, OTHER)},
            Decision.CONFLICT,
            "somebody else moved it",
        ),
        ({"deletes_tags": False}, Decision.BLOCKED, "other tags with it"),
    ],
)
def test_without_any_one_part_of_it_nothing_is_removed(lacking, decision, reason):
    found = decide(replace(PROOF, **lacking))

    assert found[0] is decision
    assert reason in found[1]


@given(
    evidence=st.builds(
        Evidence,
        published=st.sampled_from([None, ROW, replace(ROW, rule="other")]),
        listed=st.sampled_from([None, 0, 1, 5000]),
        source=st.sampled_from(Presence),
        seen=st.builds(
            DestinationTag, st.sampled_from(Presence), st.sampled_from([None, OURS, OTHER])
        ),
        missing=st.none()
        | st.builds(
            Missing,
            *map(st.just, PLACE),
            st.just("rule"),
            st.datetimes(NOW.replace(tzinfo=None) - 3 * DAY, NOW.replace(tzinfo=None)).map(
                lambda moment: moment.replace(tzinfo=UTC)
            ),
            st.sampled_from(["run-1", "run-2"]),
        ),
        deletes_tags=st.booleans(),
    )
)
def test_whatever_is_known_only_all_of_the_proof_removes(evidence):
    decision, reason = decide(evidence)

    proven = (
        evidence.published == ROW
        and bool(evidence.listed)
        and evidence.source is Presence.ABSENT
        and evidence.seen == DestinationTag(Presence.PRESENT, OURS)
        and evidence.missing is not None
        and evidence.missing.run == "run-1"
        and NOW - evidence.missing.since >= DAY
        and evidence.deletes_tags
    )
    assert (decision is Decision.PRUNE) == proven
    assert reason


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_too_many_removals_or_all_of_them_wait_for_a_person(removals, others, most):
    why = why_held(removals, removals + others, max_prune=most)

    assert bool(why) == (removals > most or (removals > 0 and others == 0))
