"""Single copies."""

from __future__ import annotations

import pytest

from replicator.errors import ConfigError
from replicator.oci.digest import Digest
from replicator.oci.platform import Platform
from replicator.oci.reference import Reference
from replicator.service.outside.registries import Registries
from replicator.service.running.copying import copy_once
from tests.service.fakes import FakeRegistry

DIGEST = Digest.of(b"1.0")


async def copy(bench, source, *destinations, **options):
    bench.world.content("source.io/app").put("1.0", "latest")
    registries = Registries(
        {},
        open_registry=lambda settings, *, listener: FakeRegistry(
            bench.world, settings.name, listener
        ),
        open_layout=lambda path: pytest.fail("no layout is meant here"),
    )
    return await copy_once(
        Reference.parse(source),
        [Reference.parse(destination) for destination in destinations],
        registries=registries,
        copier=bench.copier,
        **options,
    )


@pytest.mark.parametrize(
    ("source", "destination", "tag"),
    [
        ("source.io/app:1.0", "a.io/app", "1.0"),
        ("source.io/app:1.0", "a.io/app:other", "other"),
        ("source.io/app", "a.io/app", "latest"),
        (f"source.io/app@{DIGEST}", "a.io/app:1", "1"),
        (f"source.io/app:1.0@{DIGEST}", "a.io/app", "1.0"),
        ("source.io/app:1.0", "source.io/app:other", "other"),
    ],
)
async def test_a_destination_takes_the_tag_of_the_source_unless_it_has_one(
    bench, source, destination, tag
):
    (result,) = await copy(bench, source, destination)

    assert result.error is None
    assert result.tag == tag


async def test_one_order_goes_to_all_destinations_with_the_options(bench):
    arm = Platform("linux", "arm64")

    results = await copy(
        bench, "source.io/app:1.0", "a.io/app", "b.io/app:2", platforms=[arm], referrers=False
    )

    (order,) = bench.copier.orders
    assert [str(result.destination) for result in results] == ["a.io/app", "b.io/app"]
    assert order.platforms == (arm,)
    assert order.referrers is False


@pytest.mark.parametrize(
    ("source", "destinations", "message"),
    [
        ("source.io/app:1.0", [f"a.io/app@{DIGEST}"], "a destination has a tag, or none"),
        (f"source.io/app@{DIGEST}", ["a.io/app"], "needs a tag"),
        ("source.io/app:1.0", ["source.io/app"], "is both the source and a destination"),
        ("source.io/app", ["source.io/app:latest"], "is both the source and a destination"),
        ("source.io/app:1.0", ["a.io/app", "a.io/app:1.0"], "is named twice"),
    ],
)
async def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    bench, source, destinations, message
):
    with pytest.raises(ConfigError, match=message):
        await copy(bench, source, *destinations)

    assert bench.copier.orders == []
