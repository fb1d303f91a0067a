"""What copies without rules and without a database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from replicator.bootstrap.clock import now
from replicator.bootstrap.registries import open_registries
from replicator.service.running.one_off import OneOff
from replicator.transfer.copy import Transfer
from replicator.transfer.inventory import MemoryInventory

if TYPE_CHECKING:
    from replicator.config import Config
    from replicator.events import Listener


@asynccontextmanager
async def open_one_off(config: Config, *, listener: Listener) -> AsyncIterator[OneOff]:
    """Build what copies without rules and without a database; it remembers nothing."""
    async with open_registries(config, listener=listener) as registries:
        transfer = Transfer(inventory=MemoryInventory(), listener=listener)
        yield OneOff(registries=registries, copier=transfer, clock=now)
