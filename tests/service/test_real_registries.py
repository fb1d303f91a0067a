"""Runs between real registries, counted in the registries' own logs."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from replicator.layout.layout import open_layout
from replicator.planning.plan import Decision
from replicator.planning.rule import Rule, TagSelection
from replicator.registry.client import open_registry
from replicator.service.outside.registries import Registries
from replicator.service.running.runner import Runner
from replicator.store.database import Database
from replicator.store.inventory import LedgerInventory
from replicator.store.ledger import Ledger
from replicator.store.notes import TagNotes
from replicator.store.owner import Owner
from replicator.store.records import Outcome, RunState
from replicator.store.runs import Runs
from replicator.transfer.copy import Transfer
from tests.support.builders import push_artifact, push_image, push_many_tags, push_signature
from tests.support.plain_repository import PlainRepository
from tests.support.servers import distribution


class NoKeys:
    async def credentials_for(self, registry):
        return None


class Stage:
    """A source, a destination, and a database that outlives the processes that use it."""

    def __init__(self, source, destination, path, folder):
        self.source, self.destination, self.path = source, destination, path
        self.database = f"sqlite:///{folder}/replicator.db"
        self.time_passed = timedelta(0)
        self.marks = (0, 0)
        self.settings = {}

    def clock(self):
        return datetime.now(UTC) + self.time_passed

    def pushing(self, suffix=""):
        return PlainRepository(self.source.address, self.path + suffix)

    def pulling(self, suffix=""):
        return PlainRepository(self.destination.address, self.path + suffix)

    def rule(self, **changes):
        tags = changes.pop("tags", TagSelection())
        given = {
            "source": f"{self.source.host}/{self.path}",
            "destinations": (f"{self.destination.host}/{{repository}}",),
            **changes,
        }
        return Rule(
            "rule", tags=TagSelection(include=tags) if isinstance(tags, tuple) else tags, **given
        )

    @asynccontextmanager
    async def process(self):
        """Everything as a new process has it."""
        registries = Registries(
            self.settings,
            open_registry=lambda settings, *, listener: open_registry(
                settings, keychain=NoKeys(), listener=listener
            ),
            open_layout=open_layout,
        )
        async with await Database.open(self.database, upgrade=True) as database, registries:
            ledger = Ledger(database)
            inventory = LedgerInventory(ledger, self.clock, trusted_for=timedelta(days=1))
            runs = Runs(database, Owner.this_process())
            runner = Runner(
                registries=registries,
                copier=Transfer(inventory=inventory),
                ledger=ledger,
                runs=runs,
                notes=TagNotes(database),
                clock=self.clock,
            )
            yield runner, runs
            await inventory.flush()

    async def run(self, rule, **options):
        self.marks = (self.source.mark(), self.destination.mark())
        async with self.process() as (runner, _):
            return await runner.run(rule, trigger="test", **options)

    def asked(self):
        """Requests since the last run began, by method and what they are about, on each side."""
        return tuple(
            Counter(map(_about, server.requests(mark)))
            for server, mark in zip((self.source, self.destination), self.marks, strict=True)
        )


def _about(request):
    path = request.uri.partition("?")[0]
    for what in ("tags/list", "manifests", "blobs/uploads", "blobs", "referrers", "_catalog"):
        if f"/{what}" in path:
            return f"{request.method} {what}"
    return "ping"


@pytest.fixture(scope="module")
def other_distribution():
    with distribution(2) as server:
        yield server


@pytest.fixture
def stage(distribution2, other_distribution, repository_path, tmp_path):
    return Stage(distribution2, other_distribution, repository_path, tmp_path)


def many(number):
    return [f"1.{n}" for n in range(number)]


async def test_a_hundred_new_tags(stage):
    with stage.pushing() as repository:
        pushed = push_many_tags(repository, many(100))

    report = await stage.run(stage.rule(referrers=False))
    source, destination = stage.asked()

    assert report.state is RunState.SUCCEEDED
    assert report.counts["copied"] == 100
    assert source["GET tags/list"] == 1
    assert source["HEAD manifests"] == 0
    assert source["GET manifests"] == 100
    assert destination["GET tags/list"] <= 1
    assert destination["PUT manifests"] == 100
    with stage.pulling() as copy:
        assert all(copy.digest(tag) == image.digest for tag, image in pushed.items())


async def test_with_referrers_a_hundred_new_tags_cost_no_other_listing(stage):
    with stage.pushing() as repository:
        push_many_tags(repository, many(100))

    report = await stage.run(stage.rule())
    source, _ = stage.asked()

    assert report.counts["copied"] == 100
    assert source["GET tags/list"] == 1
    assert source["HEAD manifests"] == 0


async def test_three_hundred_unchanged_tags_and_one_that_moved(stage):
    with stage.pushing() as repository:
        push_many_tags(repository, many(300))
    await stage.run(stage.rule())

    unchanged = await stage.run(stage.rule())
    source, destination = stage.asked()
    assert unchanged.counts["skipped"] == 300
    assert +source == Counter({"GET tags/list": 1, "HEAD manifests": 300})
    assert sum(destination.values()) == 0

    with stage.pushing() as repository:
        moved = push_image(repository, "1.250", seed="moved")
    report = await stage.run(stage.rule())
    source, destination = stage.asked()
    assert (report.counts["copied"], report.counts["skipped"]) == (1, 299)
    assert destination["PUT manifests"] == 1
    with stage.pulling() as copy:
        assert copy.digest("1.250") == moved.digest


async def test_a_tag_by_name(stage):
    with stage.pushing() as repository:
        push_many_tags(repository, ["1.0", "2.0"])

    report = await stage.run(stage.rule(tags=("1.0",), referrers=False))
    source, destination = stage.asked()

    assert report.counts["copied"] == 1
    assert (source["GET tags/list"], source["HEAD manifests"]) == (0, 0)
    assert destination["GET tags/list"] == 0


async def test_two_tags_each_of_thirty_repositories(stage):
    for number in range(30):
        with stage.pushing(f"/app{number}") as repository:
            push_many_tags(repository, ["1.0", "2.0"])

    mirror = stage.rule(source=f"{stage.source.host}/{stage.path}/*")
    report = await stage.run(mirror)
    source, destination = stage.asked()

    assert report.counts["copied"] == 60
    assert source["GET _catalog"] >= 1
    assert source["HEAD manifests"] == 0
    assert destination["GET tags/list"] == 0


async def test_declared_immutable_tags_cost_only_the_listing(stage):
    with stage.pushing() as repository:
        push_many_tags(repository, many(50))
    steady = stage.rule(immutable=("1.*",))
    await stage.run(steady)

    await stage.run(steady)
    source, destination = stage.asked()

    assert sum(source.values()) <= 2
    assert sum(destination.values()) == 0


async def test_after_a_day_the_destination_is_asked_by_head_and_never_by_get(stage):
    with stage.pushing() as repository:
        push_many_tags(repository, many(10))
    await stage.run(stage.rule(referrers=False))
    stage.time_passed = timedelta(days=2)

    report = await stage.run(stage.rule(referrers=False))
    _, destination = stage.asked()

    assert report.counts["skipped"] == 10
    assert destination["HEAD manifests"] == 10
    assert destination["GET manifests"] == 0


async def test_a_dry_run_reads_by_head_and_writes_nothing(stage):
    with stage.pushing() as repository:
        push_many_tags(repository, many(10))

    report = await stage.run(stage.rule(), dry_run=True)
    source, destination = stage.asked()

    assert {action.decision for action in report.actions} == {Decision.COPY}
    assert all(action.digest is not None for action in report.actions)
    assert source["GET manifests"] == 0
    assert {request.partition(" ")[0] for request in source + destination} <= {
        "GET",
        "HEAD",
        "ping",
    }


async def test_a_signature_that_comes_later_is_found(stage):
    with stage.pushing() as repository:
        image = push_image(repository, "1.0")
        await stage.run(stage.rule())
        signature = push_signature(repository, image)

        report = await stage.run(stage.rule())

    tag = f"{image.digest.replace(':', '-')}.sig"
    assert report.counts["copied"] == 1
    with stage.pulling() as copy:
        assert copy.digest(tag) == signature.digest


async def test_a_referrer_that_comes_later_is_found_after_a_day(stage):
    with stage.pushing() as repository:
        image = push_image(repository, "1.0")
        await stage.run(stage.rule())
        sbom = push_artifact(repository, subject=image)
        stage.time_passed = timedelta(days=2)

        report = await stage.run(stage.rule())

    assert report.state is RunState.SUCCEEDED
    with stage.pulling() as copy:
        assert sbom.digest in {each["digest"] for each in copy.referrers(image.digest)}


async def test_the_history_says_what_was_done_and_why(stage):
    with stage.pushing() as repository:
        push_image(repository, "1.0")
    rule = stage.rule(tags=("1.0", "missing"))

    report = await stage.run(rule)

    async with stage.process() as (_, runs):
        record, actions = await runs.show(report.run)
    assert report.state is record.state is RunState.PARTIAL
    assert record.totals.counts["copied"] == 1
    assert record.totals.requests == report.requests
    by_tag = {str(action.tag): action for action in actions}
    assert by_tag["1.0"].outcome is Outcome.WRITTEN
    assert by_tag["missing"].outcome is Outcome.FAILED
    assert by_tag["missing"].error.kind == "not_found"
    assert by_tag["missing"].error.side == "source"


async def test_age_is_read_from_the_config_where_it_matters(stage):
    with stage.pushing() as repository:
        push_many_tags(repository, many(3))  # All are from 2026-01-01.

    old = await stage.run(stage.rule(tags=TagSelection(newer_than=timedelta(days=1))))
    young = await stage.run(stage.rule(tags=TagSelection(newer_than=timedelta(days=100_000))))

    assert old.state is RunState.EMPTY
    assert young.counts["copied"] == 3


async def test_requests_are_reported_as_the_registries_saw_them(stage):
    with stage.pushing() as repository:
        push_many_tags(repository, many(10))

    report = await stage.run(stage.rule(referrers=False))
    source, destination = stage.asked()

    assert sum(report.requests[stage.source.host].values()) == sum(source.values())
    assert sum(report.requests[stage.destination.host].values()) == sum(destination.values())
    assert report.requests[stage.source.host]["tags"] == source["GET tags/list"]


async def test_a_layout_on_disk_is_filled_stays_in_step_and_fills_a_registry(stage, tmp_path):
    with stage.pushing() as repository:
        pushed = push_many_tags(repository, many(10))
    layout = f"oci:{tmp_path}/images"
    export = stage.rule(destinations=(layout,))

    first = await stage.run(export)
    second = await stage.run(export)
    third = await stage.run(
        stage.rule(source=layout, destinations=(f"{stage.destination.host}/{stage.path}",))
    )

    assert (first.counts["copied"], second.counts["skipped"]) == (10, 10)
    assert third.counts["copied"] == 10
    with stage.pulling() as copy:
        assert all(copy.digest(tag) == image.digest for tag, image in pushed.items())
