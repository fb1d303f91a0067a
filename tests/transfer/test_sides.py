"""Whose answer an error was, however deep inside it came up."""

from __future__ import annotations

import pytest

from replicator.errors import RegistryUnavailable, StoreError, TransferFailed
from replicator.transfer.sides import reading_source, reason_of, side_of
from tests.transfer.images import add_image, add_referrer


def while_reading(error):
    with pytest.raises((TransferFailed, StoreError)) as raised, reading_source():
        raise error
    return raised.value


def test_what_goes_wrong_while_the_source_is_read_is_the_sources():
    error = RegistryUnavailable("503", status=503)

    assert side_of(while_reading(error)) == "source"
    assert reason_of(while_reading(error)) is error


def test_what_carries_no_mark_came_from_the_destination():
    assert side_of(RegistryUnavailable("503", status=503)) == "destination"


def test_a_failure_of_the_database_is_of_neither_side():
    error = StoreError("the disk is full")

    assert side_of(error) == ""
    assert side_of(while_reading(error)) == ""


@pytest.mark.parametrize("referrers", [False, True])
async def test_a_copy_that_the_database_broke_off_blames_no_registry(world, monkeypatch, referrers):
    image = add_image(world.source, "v1")
    if referrers:
        await world.copy()
        add_referrer(world.source, image)

    async def holders(registry, digests):
        raise StoreError("the disk is full")

    monkeypatch.setattr(world.inventory, "holders", holders)

    (result,) = await world.transfer.copy(world.order())

    assert "the disk is full" in str(result.error)
    assert result.side == ""
