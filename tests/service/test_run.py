"""A run, from its rule to what became of each tag, counted in requests."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from replicator.errors import (
    LeaseLost,
    NotFound,
    RateLimited,
    RegistryUnavailable,
    StoreError,
    TagImmutable,
    UnsupportedSchema1,
)
from replicator.events import RequestKind
from replicator.oci.digest import Digest
from replicator.oci.platform import Platform
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.plan import Decision
from replicator.planning.rule import Overwrite, RepositorySelection, TagSelection
from replicator.service.records.report import exit_code
from replicator.service.running.runner import RunLimits
from replicator.store.records import Outcome, RunState
from tests.service.conftest import DESTINATION, SOURCE, rule

HEAD, TAGS = RequestKind.MANIFEST_HEAD, RequestKind.TAGS
FROM, TO = "source.io", "destination.io"


def observed(bench):
    """Requests as (listings, HEADs) at the source, and the same at the destination."""
    return tuple(
        bench.world.count(kind, registry=registry)
        for registry in (FROM, TO)
        for kind in (TAGS, HEAD)
    )


def many(number):
    return [f"1.{n}" for n in range(number)]


async def test_a_hundred_new_tags_cost_one_listing_on_each_side_and_are_read_by_tag(bench):
    bench.source.put(*many(100))

    report = await bench.run(rule())

    assert report.state is RunState.SUCCEEDED
    assert report.counts["copied"] == report.counts["selected"] == 100
    assert observed(bench) == (1, 0, 1, 0)
    assert all(isinstance(order.reference, Tag) for order in bench.copier.orders)
    assert bench.destination.tags == bench.source.tags


async def test_a_thousand_unchanged_tags_cost_one_head_each_and_the_destination_nothing(bench):
    bench.source.put(*many(1000))
    await bench.run(rule())

    report = await bench.run(rule())

    assert report.state is RunState.SUCCEEDED
    assert report.counts["skipped"] == 1000
    assert observed(bench) == (1, 1000, 0, 0)
    assert bench.copier.orders == []


async def test_a_tag_by_name_is_neither_listed_nor_asked_for(bench):
    bench.source.put("1.0", "2.0")

    report = await bench.run(rule(tags=("1.0",)))

    assert report.counts["copied"] == 1
    assert observed(bench) == (0, 0, 0, 0)


async def test_two_tags_each_of_thirty_repositories_cost_no_listing_at_the_destination(bench):
    for number in range(30):
        bench.world.content(f"source.io/team/app{number}").put("1.0", "2.0")
    mirror = rule(source="source.io/team/*", destinations=("destination.io/mirror/{name}",))

    report = await bench.run(mirror)

    assert report.counts["copied"] == 60
    assert observed(bench) == (30, 0, 0, 0)
    assert bench.world.count(RequestKind.CATALOG) == 1


async def test_repositories_that_are_named_need_no_catalogue(bench):
    bench.world.content("source.io/team/a").put("1")
    bench.world.content("source.io/team/b").put("1")
    named = rule(
        source="source.io/team/*",
        repositories=RepositorySelection(include=("a", "b")),
        destinations=("destination.io/mirror/{name}",),
    )

    report = await bench.run(named)

    assert report.counts["copied"] == 2
    assert bench.world.count(RequestKind.CATALOG) == 0


async def test_of_a_thousand_tags_the_one_that_moved_is_copied_as_it_was_planned(bench):
    bench.source.put(*many(1000))
    await bench.run(rule())
    bench.source.put("1.500", content="moved")

    report = await bench.run(rule())

    (order,) = bench.copier.orders
    assert order.reference == bench.source.tags["1.500"]
    assert (report.counts["copied"], report.counts["skipped"]) == (1, 999)
    assert bench.destination.tags == bench.source.tags


async def test_tags_that_are_declared_immutable_and_published_cost_nothing(bench):
    bench.source.put(*many(50), "latest")
    steady = rule(immutable=("1.*",))
    await bench.run(steady)
    bench.clock.pass_time(days=30)

    report = await bench.run(steady)

    assert report.counts["skipped"] == 51
    assert observed(bench) == (1, 1, 0, 1)


async def test_a_row_that_is_too_old_is_confirmed_at_the_destination_by_head(bench):
    bench.source.put("1.0")
    await bench.run(rule())
    bench.clock.pass_time(days=2)

    await bench.run(rule(referrers=False))
    (row,) = bench.ledger.rows.values()

    assert observed(bench) == (1, 1, 0, 1)
    assert row.confirmed_at == bench.clock.now
    assert row.published_at < row.confirmed_at


async def test_of_rows_of_a_middle_age_a_share_is_confirmed_in_each_run(bench):
    bench.source.put(*many(1000))
    await bench.run(rule(referrers=False))
    bench.clock.pass_time(hours=13)

    await bench.run(rule(referrers=False))

    assert 50 < bench.world.count(HEAD, registry=TO) < 200


async def test_a_tag_that_somebody_moved_at_the_destination_is_put_right_once_it_is_seen(bench):
    bench.source.put("1.0")
    await bench.run(rule())
    bench.destination.put("1.0", content="somebody else's")
    bench.clock.pass_time(days=2)

    report = await bench.run(rule())

    assert report.counts["copied"] == 1
    assert bench.destination.tags == bench.source.tags


async def test_when_the_ledger_was_lost_nothing_is_copied_again(bench):
    bench.source.put(*many(20))
    await bench.run(rule())
    bench.ledger.rows.clear()

    report = await bench.run(rule())

    assert report.counts["skipped"] == 20
    assert observed(bench) == (1, 20, 1, 20)
    assert bench.copier.orders == []
    assert len(bench.ledger.rows) == 20


async def test_a_few_tags_that_the_ledger_does_not_know_are_left_for_the_copy_to_find(bench):
    bench.source.put(*many(7))
    await bench.run(rule())
    bench.ledger.rows.clear()

    report = await bench.run(rule())

    assert observed(bench) == (1, 0, 0, 0)
    assert (report.counts["copied"], report.counts["skipped"]) == (0, 7)


async def test_one_failure_stays_one_failure(bench):
    bench.source.put(*many(10))
    bench.copier.failing["1.3"] = (
        RegistryUnavailable("503 from destination", status=503, codes=("UNAVAILABLE",)),
        "destination",
    )

    report = await bench.run(rule())

    assert report.state is RunState.PARTIAL
    assert exit_code([report]) == 3
    assert (report.counts["copied"], report.counts["failed"]) == (9, 1)
    (failure,) = report.failures
    assert failure.to_json() == {
        "source": f"{SOURCE}:1.3",
        "destination": DESTINATION,
        "tag": "1.3",
        "class": "unavailable",
        "side": "destination",
        "status": 503,
        "code": "UNAVAILABLE",
        "attempts": 1,
        "message": "503 from destination",
    }
    action = bench.runs.actions["run-1", DESTINATION, "1.3"]
    assert action.outcome is Outcome.FAILED
    assert action.reason == "is not at the destination"


async def test_when_every_tag_fails_the_run_failed(bench):
    bench.source.put("1", "2")
    error = RegistryUnavailable("503", status=503)
    bench.copier.failing = {"1": (error, "destination"), "2": (error, "destination")}

    report = await bench.run(rule())

    assert report.state is RunState.FAILED
    assert exit_code([report]) == 1


async def test_a_mistake_of_ours_costs_one_tag(bench):
    bench.source.put("1", "2")
    await bench.run(rule())
    bench.world.broken[HEAD, SOURCE, "1"] = ZeroDivisionError("oops")

    report = await bench.run(rule())

    assert (report.counts["failed"], report.counts["skipped"]) == (1, 1)
    assert report.failures[0].error.message == "internal error: ZeroDivisionError('oops')"


async def test_tags_that_cannot_be_had_are_counted_by_what_hinders(bench):
    bench.source.put("ok", "old", "fixed", "later")
    bench.copier.failing = {
        "old": (UnsupportedSchema1("schema 1"), "source"),
        "fixed": (TagImmutable("immutable", status=412), "destination"),
        "later": (RateLimited("429", retry_after=3600), "source"),
    }

    report = await bench.run(rule())

    counts = report.counts
    assert (counts["copied"], counts["failed"]) == (1, 1)
    assert (counts["blocked"], counts["deferred"]) == (1, 1)
    assert {failure.error.kind for failure in report.failures} == {
        "unsupported_schema1",
        "blocked_by_policy",
        "rate_limited",
    }
    assert report.state is RunState.PARTIAL


async def test_a_tag_that_was_listed_and_is_gone_is_no_failure(bench):
    bench.source.put("1", "2")
    await bench.run(rule())
    bench.world.broken[HEAD, SOURCE, "1"] = NotFound("404", status=404)

    report = await bench.run(rule())

    assert report.state is RunState.SUCCEEDED
    assert (report.counts["gone"], report.counts["skipped"]) == (1, 1)


async def test_a_tag_that_is_gone_when_its_copy_begins_is_no_failure(bench):
    bench.source.put("1")
    bench.source.tags[Tag("2")] = None

    report = await bench.run(rule())

    assert report.state is RunState.SUCCEEDED
    assert (report.counts["gone"], report.counts["copied"]) == (1, 1)


async def test_a_tag_that_the_rule_names_and_that_does_not_exist_is_a_failure(bench):
    bench.source.put("1")

    report = await bench.run(rule(tags=("1", "missing")))

    assert report.state is RunState.PARTIAL
    (failure,) = report.failures
    assert (failure.tag, failure.error.kind, failure.error.side) == (
        "missing",
        "not_found",
        "source",
    )


async def test_a_repository_that_does_not_exist_is_a_failure(bench):
    report = await bench.run(rule())

    assert report.state is RunState.FAILED
    (failure,) = report.failures
    assert (failure.source, failure.error.kind) == (SOURCE, "not_found")


async def test_a_repository_of_a_catalogue_that_does_not_exist_is_none(bench):
    bench.world.content("source.io/team/a").put("1")
    bench.world.contents[RepositoryName("source.io", "team/ghost")] = None
    mirror = rule(source="source.io/team/*", destinations=("destination.io/mirror/{name}",))

    report = await bench.run(mirror)

    assert report.state is RunState.SUCCEEDED
    assert report.counts["copied"] == 1


async def test_what_was_seen_of_a_listing_that_broke_off_is_used_and_the_run_is_partial(bench):
    bench.source.put(*many(50))
    bench.world.page_size = 20
    bench.world.breaks_after[SOURCE] = 2

    report = await bench.run(rule())

    assert report.state is RunState.PARTIAL
    assert report.counts["copied"] == 40
    (failure,) = report.failures
    assert (failure.source, failure.tag, failure.error.kind) == (SOURCE, "", "unavailable")


async def test_the_latest_are_not_guessed_from_a_listing_that_broke_off(bench):
    bench.source.put(*many(50))
    bench.world.page_size = 20
    bench.world.breaks_after[SOURCE] = 2

    report = await bench.run(rule(tags=TagSelection(latest=5)))

    assert report.state is RunState.FAILED
    assert report.counts["copied"] == 0


async def test_the_latest_are_chosen_from_all_pages(bench):
    bench.source.put(*many(50))
    bench.world.page_size = 20

    await bench.run(rule(tags=TagSelection(latest=3)))

    assert set(bench.destination.tags) == {"1.49", "1.48", "1.47"}


async def test_a_rule_that_selects_nothing_is_empty_unless_it_may_be(bench):
    bench.source.put("1")

    report = await bench.run(rule(tags=("2.*",)))
    allowed = await bench.run(rule(tags=("2.*",), allow_empty=True))

    assert report.state is RunState.EMPTY
    assert exit_code([report]) == 4
    assert allowed.state is RunState.SUCCEEDED
    assert exit_code([allowed]) == 0


async def test_a_selection_that_shrinks_below_its_guard_is_a_failure(bench):
    bench.source.put("1", "2")

    report = await bench.run(rule(tags=TagSelection(min_tags=3)))

    assert report.state is RunState.FAILED
    assert report.error == "2 tags are selected, fewer than min_tags = 3"
    assert bench.destination.tags == {}


async def test_a_destination_is_not_overwritten_when_the_rule_says_never(bench):
    bench.source.put("1", "2")
    bench.destination.put("1", content="other")

    report = await bench.run(rule(overwrite=Overwrite.NEVER))

    assert report.state is RunState.SUCCEEDED
    assert (report.counts["copied"], report.counts["conflict"]) == (1, 1)
    assert bench.destination.tags["1"] != bench.source.tags["1"]


async def test_a_destination_that_is_not_ours_is_a_conflict_that_somebody_must_look_at(bench):
    bench.source.put("1", "2")
    await bench.run(rule(overwrite=Overwrite.IF_OURS))
    bench.destination.put("1", content="other")
    bench.source.put("1", "2", content="moved")

    report = await bench.run(rule(overwrite=Overwrite.IF_OURS))

    assert report.state is RunState.PARTIAL
    assert (report.counts["copied"], report.counts["conflict"]) == (1, 1)
    assert report.failures[0].error.kind == "conflict"
    assert bench.destination.tags["2"] == bench.source.tags["2"]


async def test_one_order_brings_a_tag_to_all_destinations_that_need_it(bench):
    bench.source.put("1")
    both = rule(destinations=(DESTINATION, "other.io/mirror/app"))
    await bench.run(rule())
    bench.ledger.rows.clear()

    await bench.run(both)
    (first,) = bench.copier.orders
    del bench.world.content("other.io/mirror/app").tags[Tag("1")]
    bench.clock.pass_time(days=2)
    await bench.run(both)
    (second,) = bench.copier.orders

    assert len(first.destinations) == 2
    assert [str(each.repository.name) for each in second.destinations] == ["other.io/mirror/app"]


async def test_one_destination_that_fails_does_not_keep_the_other_back(bench):
    bench.source.put("1")
    bench.copier.failing[DESTINATION] = (RegistryUnavailable("503", status=503), "destination")

    report = await bench.run(rule(destinations=(DESTINATION, "other.io/mirror/app")))

    assert report.state is RunState.PARTIAL
    assert bench.world.content("other.io/mirror/app").tags == bench.source.tags


async def test_a_destination_that_cannot_be_asked_fails_its_own_tags(bench):
    bench.source.put("1")
    both = rule(destinations=(DESTINATION, "other.io/mirror/app"))
    await bench.run(both)
    bench.clock.pass_time(days=2)
    bench.world.broken[HEAD, DESTINATION, "1"] = RegistryUnavailable("503", status=503)

    report = await bench.run(both)

    assert (report.counts["skipped"], report.counts["failed"]) == (1, 1)
    assert report.failures[0].error.side == "destination"


async def test_tags_are_rewritten_by_what_their_pattern_captures(bench):
    bench.source.put("v1.0", "v1.1", "latest")

    await bench.run(rule(tags=("v{version}",), destinations=(f"{DESTINATION}:{{version}}-ours",)))

    assert set(bench.destination.tags) == {"1.0-ours", "1.1-ours"}


async def test_two_tags_that_would_become_one_are_a_conflict(bench):
    bench.source.put("v1.0", "1.0")
    strip = rule(
        tags=TagSelection(regex=(r"v?(?P<version>\d.*)",)),
        destinations=(f"{DESTINATION}:{{version}}",),
    )

    report = await bench.run(strip)

    assert (report.counts["copied"], report.counts["conflict"]) == (1, 1)
    assert report.state is RunState.PARTIAL


async def test_two_repositories_that_would_become_one_are_a_conflict(bench):
    bench.world.content("source.io/a/app").put("1")
    bench.world.content("source.io/b/app").put("2")
    flat = rule(source="source.io/**", destinations=("destination.io/mirror/{name}",))

    report = await bench.run(flat)

    assert (report.counts["copied"], report.counts["conflict"]) == (1, 1)


async def test_another_choice_of_platforms_publishes_again(bench):
    bench.source.put("1")
    await bench.run(rule(platforms=(Platform("linux", "amd64"),)))

    again = await bench.run(rule(platforms=(Platform("linux", "amd64"),)))
    other = await bench.run(rule(platforms=(Platform("linux", "arm64"),)))
    whole = await bench.run(rule())

    assert (again.counts["skipped"], again.counts["copied"]) == (1, 0)
    assert (other.counts["copied"], whole.counts["copied"]) == (1, 1)


async def test_a_dry_run_asks_by_head_says_what_it_would_do_and_writes_nothing(bench):
    bench.source.put("1", "2", "rc")
    bench.destination.put("1")
    bench.destination.put("2", content="other")

    report = await bench.run(rule(tags=("[0-9]",)), dry_run=True)

    assert [(action.tag, action.decision) for action in report.actions] == [
        ("1", Decision.SKIP),
        ("2", Decision.COPY),
    ]
    assert [(each.source, each.reason) for each in report.left_out] == [
        (f"{SOURCE}:rc", "matches no include pattern")
    ]
    assert observed(bench) == (1, 2, 0, 2)
    assert bench.copier.orders == []
    assert bench.ledger.rows == {}
    assert bench.runs.started == []


async def test_a_dry_run_that_would_copy_some_and_cannot_see_others_is_partial(bench):
    bench.source.put("1")

    report = await bench.run(rule(tags=("1", "missing")), dry_run=True)

    assert report.state is RunState.PARTIAL


async def test_a_run_that_is_cancelled_writes_down_what_was_done(bench):
    bench.source.put("1", "2", "3")
    bench.copier.endless = {"2"}

    running = asyncio.create_task(bench.runner().run(rule(), trigger="test"))
    for _ in range(2):
        await bench.copier.done.acquire()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert {tag for _, tag in bench.ledger.rows} == {"1", "3"}
    state, totals, _ = bench.runs.finished["run-1"]
    assert state is RunState.CANCELLED
    assert totals.counts["copied"] == 2


async def test_after_a_cancelled_run_the_next_one_does_the_rest(bench):
    bench.source.put("1", "2", "3")
    bench.copier.endless = {"2"}
    running = asyncio.create_task(bench.runner().run(rule(), trigger="test"))
    for _ in range(2):
        await bench.copier.done.acquire()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    bench.copier.endless = set()

    report = await bench.run(rule())

    assert (report.counts["copied"], report.counts["skipped"]) == (1, 2)


async def test_ledger_and_history_are_written_in_batches(bench):
    bench.source.put(*many(1000))

    await bench.run(rule())

    assert len(bench.ledger.rows) == 1000
    assert bench.ledger.writes <= 12
    assert bench.ledger.questions == 2


async def test_a_database_that_fails_ends_the_run_with_its_error(bench):
    bench.source.put("1")

    async def fail(rows, blobs, *, at):
        raise StoreError("disk full")

    bench.ledger.record = fail

    with pytest.raises(StoreError, match="disk full"):
        await bench.run(rule())


async def test_a_rule_that_has_a_run_under_way_is_reported_and_the_others_go_on(bench):
    bench.source.put("1")
    bench.runs.active = {"busy"}
    other = rule("other", destinations=("other.io/mirror/app",))

    busy, done = await bench.runner().run_all([rule("busy"), other], trigger="test")

    assert busy.state is RunState.FAILED
    assert busy.error == "rule 'busy' has a run under way"
    assert done.state is RunState.SUCCEEDED


async def test_requests_are_counted_for_the_run_that_made_them(bench):
    bench.source.put("1")
    bench.world.content("source.io/team/other").put("1", "2")
    rules = [
        rule("one"),
        rule("two", source="source.io/team/other", destinations=("other.io/mirror/app",)),
    ]
    await bench.runner().run_all(rules, trigger="test")

    one, two = await bench.runner().run_all(rules, trigger="test")

    assert one.requests == {"source.io": {"tags": 1, "manifest_head": 1}}
    assert two.requests == {"source.io": {"tags": 1, "manifest_head": 2}}
    assert bench.runs.finished["run-3"][1].requests == one.requests


async def test_tags_and_images_under_way_are_bounded(bench):
    bench.limits = RunLimits(tags=20, images=5)
    bench.source.put(*many(500))

    await bench.run(rule())
    await bench.run(rule())

    assert bench.copier.most_running == 5
    assert bench.world.most_in_flight <= 20


async def test_the_first_copy_starts_before_the_listing_has_ended(bench):
    bench.world.page_size = 10
    bench.source.put(*many(1000))
    pages_at_first_copy = []
    copy = bench.copier.copy

    async def noting(order):
        pages_at_first_copy.append(bench.world.count(TAGS, registry=FROM))
        return await copy(order)

    bench.copier.copy = noting

    await bench.run(rule())

    assert pages_at_first_copy[0] < 20
    assert bench.world.count(TAGS, registry=FROM) == 100


async def test_signs_of_life_are_given_while_a_run_goes_on(bench):
    bench.source.put("1")
    bench.copier.endless = {"1"}
    ticks = asyncio.Queue()

    async def sleep(seconds):
        await ticks.get()

    bench.sleep = sleep
    running = asyncio.create_task(bench.runner().run(rule(), trigger="test"))
    ticks.put_nowait("tick")
    ticks.put_nowait("tick")
    for _ in range(2):
        await bench.runs.renewed.acquire()
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_run_that_was_taken_from_us_ends_and_the_others_go_on(bench):
    bench.source.put("1")
    bench.copier.failing["2"] = (RegistryUnavailable("503", status=503), "destination")
    bench.world.content("source.io/team/other").put("2")
    save = bench.runs.save

    async def refuse(run_id, actions):
        if run_id == "run-1":
            raise LeaseLost("taken over")
        await save(run_id, actions)

    bench.runs.save = refuse
    rules = [
        rule("taken"),
        rule("other", source="source.io/team/other", destinations=("other.io/mirror/app",)),
    ]

    taken, other = await bench.runner().run_all(rules, trigger="test")

    assert (taken.state, taken.error) == (RunState.FAILED, "taken over")
    assert other.state is RunState.FAILED
    assert "run-2" in bench.runs.finished


def digest_tag(digest, suffix="sig"):
    return f"sha256-{digest.hex}.{suffix}"


async def test_a_signature_added_to_an_unchanged_tag_is_copied_on_the_next_run(bench):
    bench.source.put("1", "2")
    await bench.run(rule())
    signature = digest_tag(bench.source.tags["1"])
    bench.source.put(signature, digest_tag(Digest.of(b"unknown")))

    report = await bench.run(rule())
    again = await bench.run(rule())

    assert (report.counts["copied"], report.counts["skipped"]) == (1, 2)
    assert bench.destination.tags[signature] == bench.source.tags[signature]
    # A signature is no tag of the rule: it is looked at, and not counted.
    assert again.counts["skipped"] == 2
    assert observed(bench) == (1, 3, 0, 0)


async def test_a_referrer_added_to_an_unchanged_tag_is_found_when_it_is_time(bench):
    bench.source.put("1", "2")
    await bench.run(rule())
    subject = bench.source.tags["1"]
    bench.source.referrers[subject] = {Digest.of(b"sbom")}
    bench.clock.pass_time(days=2)

    report = await bench.run(rule())

    (order,) = bench.copier.orders
    assert order.reference == subject
    assert bench.destination.referrers[subject] == {Digest.of(b"sbom")}
    assert bench.world.count(RequestKind.REFERRERS, registry=FROM) == 2
    assert bench.world.count(RequestKind.REFERRERS, registry=TO) == 1
    assert report.counts["failed"] == 0
    await bench.run(rule())
    assert bench.world.count(RequestKind.REFERRERS) == 0


async def test_a_signature_of_a_tag_by_name_is_found_when_it_is_time(bench):
    bench.source.put("1")
    await bench.run(rule(tags=("1",)))
    bench.source.put(digest_tag(bench.source.tags["1"]))
    bench.clock.pass_time(days=2)

    await bench.run(rule(tags=("1",)))

    assert len(bench.copier.orders) == 1


async def test_a_mapping_that_fails_for_one_tag_fails_that_tag(bench):
    bench.source.put("1", "x" * 127)

    report = await bench.run(rule(destinations=(f"{DESTINATION}:{{tag}}-ours",)))

    assert (report.counts["copied"], report.counts["failed"]) == (1, 1)
    assert report.failures[0].error.kind == "invalid_reference"


async def test_a_catalogue_that_cannot_be_listed_fails_the_run(bench):
    bench.world.broken[RequestKind.CATALOG, "source.io", None] = RegistryUnavailable("503")
    mirror = rule(source="source.io/team/*", destinations=("destination.io/mirror/{name}",))

    report = await bench.run(mirror)

    assert report.state is RunState.FAILED
    assert report.failures[0].source == "source.io/team/*"


async def test_the_time_between_confirmations_can_be_set(bench):
    bench.source.put("1")
    await bench.run(rule(referrers=False))
    bench.clock.pass_time(minutes=10)
    bench.confirm_after = timedelta(minutes=5)

    await bench.run(rule(referrers=False))

    assert bench.world.count(HEAD, registry=TO) == 1


async def test_rules_that_run_together_list_a_source_once(bench):
    bench.source.put(*many(50), "latest")
    bench.world.page_size = 20
    rules = [
        rule("numbers", tags=("1.*",)),
        rule("latest", tags=TagSelection(regex=("latest",)), destinations=("other.io/mirror/app",)),
    ]

    reports = await bench.runner().run_all(rules, trigger="test")

    assert [report.counts["copied"] for report in reports] == [50, 1]
    assert bench.world.count(TAGS, registry=FROM) == 3


async def test_rules_that_run_together_all_learn_that_a_listing_broke_off(bench):
    bench.source.put(*many(50))
    bench.world.page_size = 20
    bench.world.breaks_after[SOURCE] = 1
    rules = [rule("one"), rule("two", destinations=("other.io/mirror/app",))]

    reports = await bench.runner().run_all(rules, trigger="test")

    assert [report.state for report in reports] == [RunState.PARTIAL] * 2
    assert [report.counts["copied"] for report in reports] == [20, 20]
