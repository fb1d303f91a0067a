"""A runner in a world in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from random import Random

import pytest

from replicator.planning.rule import Rule, TagSelection
from replicator.registry.keychain import ConfiguredKeychain
from replicator.service.outside.registries import Registries
from replicator.service.running.runner import RunLimits, Runner
from tests.service.fakes import (
    Clock,
    FakeCopier,
    FakeLedger,
    FakeNotes,
    FakeRegistry,
    FakeRuns,
    World,
)

SOURCE = "source.io/team/app"
DESTINATION = "destination.io/mirror/app"


class Bench:
    """A runner, and all that it works with."""

    def __init__(self):
        self.world = World()
        self.copier = FakeCopier(self.world)
        self.ledger = FakeLedger()
        self.runs = FakeRuns()
        self.notes = FakeNotes()
        self.clock = Clock()
        self.limits = RunLimits()
        self.confirm_after = timedelta(hours=24)
        self.events = []
        self.sleep = lambda seconds: asyncio.Event().wait()
        self.logins = {}

    @property
    def source(self):
        return self.world.content(SOURCE)

    @property
    def destination(self):
        return self.world.content(DESTINATION)

    def runner(self, **options):
        registries = Registries(
            {},
            open_registry=lambda settings, *, listener: FakeRegistry(
                self.world, settings.name, listener
            ),
            open_layout=lambda path: pytest.fail("no layout is meant here"),
            listener=self.events.append,
            configured=ConfiguredKeychain(self.logins, environment={}),
        )
        return Runner(
            registries=registries,
            copier=self.copier,
            ledger=self.ledger,
            runs=self.runs,
            notes=self.notes,
            clock=self.clock,
            confirm_after=self.confirm_after,
            limits=self.limits,
            random=Random(1),
            sleep=self.sleep,
            **options,
        )

    async def run(self, rule, **options):
        self.world.requests.clear()
        self.copier.orders.clear()
        return await self.runner().run(rule, trigger="test", **options)


@pytest.fixture
def bench() -> Iterator[Bench]:
    return Bench()


def rule(name="rule", **changes) -> Rule:
    """A rule from SOURCE to DESTINATION; *tags* may be a tuple of globs."""
    tags = changes.pop("tags", TagSelection())
    if isinstance(tags, tuple):
        tags = TagSelection(include=tags)
    given = {"source": SOURCE, "destinations": (DESTINATION,), **changes}
    return Rule(name, tags=tags, **given)
