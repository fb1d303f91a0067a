"""Thousands of tags between real registries, counted in the registries' own logs."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from replicator.oci.platform import Platform
from replicator.planning.rule import Prune
from replicator.registry.settings import RegistrySettings
from replicator.store.records import RunState
from tests.service.test_real_registries import Stage, many
from tests.support import tools
from tests.support.builders import push_image, push_image_of, push_index, push_layer, push_many_tags
from tests.support.plain_repository import PlainRepository
from tests.support.servers import distribution


@pytest.fixture(scope="module")
def destination3():
    with distribution(3) as server:
        yield server


@pytest.fixture
def stage(distribution3, destination3, repository_path, tmp_path):
    return Stage(distribution3, destination3, repository_path, tmp_path)


def put_under(repository, first, tags):
    """Let many tags name what *first* does."""
    manifest = json.loads(repository.manifest(first))

    def put(some):
        with PlainRepository(repository.address, repository.path) as mine:
            for tag in some:
                mine.put_manifest(manifest, tag)

    shares = [tags[first::8] for first in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, shares))


async def test_a_thousand_unchanged_tags_cost_a_request_each_and_only_what_moved_is_copied(stage):
    with stage.pushing() as repository:
        push_many_tags(repository, many(1000))
    rule = stage.rule(referrers=False)
    await stage.run(rule)

    unchanged = await stage.run(rule)
    source, destination = stage.asked()
    with stage.pushing() as repository:
        moved = push_image(repository, "1.500", seed="moved")
    one = await stage.run(rule)
    steady_rule = replace(rule, immutable=("1.*",))
    steady = await stage.run(steady_rule)
    steady_source, steady_destination = stage.asked()

    assert unchanged.counts["skipped"] == 1000
    assert sum(source.values()) + sum(destination.values()) <= 1050
    assert (one.counts["copied"], one.counts["skipped"]) == (1, 999)
    with stage.pulling() as copy:
        assert copy.digest("1.500") == moved.digest
    assert steady.counts["skipped"] == 1000
    assert sum(steady_source.values()) + sum(steady_destination.values()) <= 50


async def test_five_thousand_tags_over_pages_are_all_seen(stage):
    tags = [f"{number}.0" for number in range(5000)]
    with stage.pushing() as repository:
        image = push_image(repository, tags[0])
        put_under(repository, tags[0], tags)

    report = await stage.run(stage.rule(referrers=False))
    source, _ = stage.asked()

    assert report.counts["copied"] + report.counts["skipped"] == 5000
    assert source["GET tags/list"] >= 5
    with stage.pulling() as copy:
        assert copy.digest(tags[-1]) == image.digest


async def test_each_platform_of_a_pruned_index_can_be_pulled_by_others(stage, tmp_path):
    wanted = (Platform("linux", "amd64"), Platform("linux", "arm64"))
    with stage.pushing() as repository:
        whole = push_index(repository, "1.0")
    rule = stage.rule(platforms=wanted)

    report = await stage.run(rule)
    again = await stage.run(rule)

    assert report.state is RunState.SUCCEEDED
    assert again.counts["skipped"] == 1
    with stage.pulling() as copy:
        assert copy.digest("1.0") != whole.digest
    for platform in wanted:
        folder = tmp_path / platform.architecture
        skopeo(
            *("--override-os", platform.os, "--override-arch", platform.architecture),
            *("copy", "--quiet", "--src-tls-verify=false"),
            *(f"docker://{stage.destination.host}/{stage.path}:1.0", f"dir:{folder}"),
        )
        manifest = json.loads((folder / "manifest.json").read_text())
        config = json.loads((folder / manifest["config"]["digest"].partition(":")[2]).read_text())
        assert config["architecture"] == platform.architecture


async def test_an_unwanted_platform_that_is_rebuilt_causes_no_copy_of_blobs(stage):
    rule = stage.rule(platforms=(Platform("linux", "amd64"),))
    with stage.pushing() as repository:
        push_index(repository, "1.0")
    await stage.run(rule)
    with stage.pulling() as copy:
        before = copy.digest("1.0")
    with stage.pushing() as repository:
        rebuild(repository)

    report = await stage.run(rule)

    assert (report.state, report.counts["copied"]) == (RunState.SUCCEEDED, 0)
    assert report.tally.bytes_moved == 0
    with stage.pulling() as copy:
        assert copy.digest("1.0") == before


def rebuild(repository):
    """Push the index under 1.0 anew, with another image for its last platform."""
    index = json.loads(repository.manifest("1.0"))
    layer = push_layer(repository, "rebuilt")
    last = index["manifests"][-1]
    platform = "/".join(last["platform"][key] for key in ("os", "architecture"))
    image = push_image_of(repository, layers=[layer], label="rebuilt", platform=platform)
    index["manifests"][-1] = image.json() | {"platform": last["platform"]}
    repository.put_manifest(index, "1.0")


@pytest.mark.parametrize("version", [2, 3])
async def test_a_tag_that_is_gone_is_removed_where_a_tag_goes_alone(
    version, distribution3, repository_path, tmp_path
):
    with distribution(version) as destination:
        stage = Stage(distribution3, destination, repository_path, tmp_path)
        stage.settings = {destination.host: RegistrySettings(destination.host, kind="distribution")}
        rule = stage.rule(prune=Prune.MIRROR, prune_after=timedelta(minutes=10))
        with stage.pushing() as repository:
            push_image(repository, "1.0")
            put_under(repository, "1.0", ["gone"])
        await stage.run(rule)
        with stage.pushing() as repository:
            repository.delete("gone")
        first = await stage.run(rule)
        stage.time_passed = timedelta(hours=1)

        second = await stage.run(rule)

        with stage.pulling() as copy:
            left = sorted(copy.tags())
    assert (first.counts["gone"], first.counts["pruned"]) == (1, 0)
    if version == 3:
        assert (left, second.counts["pruned"]) == (["1.0"], 1)
    else:
        # 2.x could only delete the digest, and 1.0 with it.
        assert (left, second.counts["blocked"]) == (["1.0", "gone"], 1)
        assert "does not delete the tag alone" in second.failures[0].error.message


def skopeo(*arguments):
    subprocess.run(
        [tools.installed("skopeo"), "--insecure-policy", *arguments], check=True, timeout=120
    )
