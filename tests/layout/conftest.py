"""Layouts in temporary folders, and copies between them and a registry in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from replicator.layout.layout import Layout, open_layout
from replicator.oci.reference import Tag
from replicator.transfer.copy import Transfer
from replicator.transfer.inventory import MemoryInventory
from replicator.transfer.order import Destination, Order, Result
from tests.transfer.fakes import FakeRegistry, FakeRepository

REF_NAME = "org.opencontainers.image.ref.name"


@pytest.fixture
def source() -> FakeRepository:
    return FakeRegistry("source.example").repository("team/app")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return open_layout(tmp_path / "layout")


@pytest.fixture
def copy() -> Callable:
    """Copies a tag with all that belongs to it; raises what went wrong."""
    transfer = Transfer(inventory=MemoryInventory())

    async def copy(source, destination, tag: str = "v1", **options) -> Result:
        order = Order(source, Tag(tag), (Destination(destination, Tag(tag)),), **options)
        (result,) = await transfer.copy(order)
        if result.error is not None:
            raise result.error
        return result

    return copy


def files_of(layout: Layout) -> set[str]:
    """The files of a layout, relative to its folder."""
    folder = Path(layout.name.path)
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if not file.is_dir()}
