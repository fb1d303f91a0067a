"""Fake registries, and orders between them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from replicator.events import Event
from replicator.oci.reference import Tag
from replicator.transfer.copy import Transfer
from replicator.transfer.inventory import MemoryInventory
from replicator.transfer.order import Destination, Order, Result
from tests.transfer.fakes import FakeRegistry, FakeRepository


class World:
    """A source, two destinations, and what is shared by all copies between them."""

    def __init__(self) -> None:
        self.source_registry = FakeRegistry("source.example")
        self.registry = FakeRegistry("one.example")
        self.other_registry = FakeRegistry("two.example")
        self.source = self.source_registry.repository("team/app")
        self.destination = self.registry.repository("mirror/app")
        self.other = self.other_registry.repository("mirror/app")
        self.inventory = MemoryInventory()
        self.events: list[Event] = []
        self.transfer = self.new_transfer()

    def new_transfer(self, **options) -> Transfer:
        return Transfer(inventory=self.inventory, listener=self.events.append, **options)

    def order(
        self,
        tag: str = "v1",
        *,
        source: FakeRepository | None = None,
        to: tuple[FakeRepository, ...] | None = None,
        **options,
    ) -> Order:
        destinations = tuple(Destination(each, Tag(tag)) for each in to or (self.destination,))
        return Order(source or self.source, Tag(tag), destinations, **options)

    async def copy(self, tag: str = "v1", **options) -> Result:
        """Copy to one destination, without an error."""
        (result,) = await self.transfer.copy(self.order(tag, **options))
        if result.error is not None:
            raise result.error
        return result


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def events_of(world: World) -> Callable[[type], list]:
    """The events of one kind that were heard so far."""
    return lambda kind: [event for event in world.events if isinstance(event, kind)]
