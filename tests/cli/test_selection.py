"""Selection by content, and removals, by the command line between registries of this process."""

from __future__ import annotations

import json

import pytest

from tests.support.embedded import (
    AMD64,
    ARM64,
    store_artifact,
    store_image,
    store_image_of,
    store_index,
    store_layer,
)


@pytest.fixture
async def registries(start_registry):
    return await start_registry(), await start_registry()


def config(source, destination, more, kind="distribution"):
    return f"""
[registries."{destination.host}"]
kind = "{kind}"

[[rules]]
name = "app"
source = "{source.host}/team/app"
destinations = ["{destination.host}/mirror"]
{more}
"""


def gets(registry, what="/manifests/"):
    return registry.requests.count("GET", what)


async def test_what_is_too_large_or_of_another_type_is_read_once_and_left_out(
    replicate, registries
):
    source, destination = registries
    store_image(source.storage, "team/app", "small", seed="s")
    store_image(source.storage, "team/app", "large", seed="l", size=200_000)
    store_artifact(source.storage, "team/app", "chart", artifact_type="application/vnd.chart")
    image = "application/vnd.oci.image.config.v1+json"
    more = f'tags = {{ max_size = "100KiB", artifact_types = ["{image}"] }}'
    replicate.write_config(config(source, destination, more))

    first = await replicate("run")
    source.requests.clear()
    second = await replicate("run")
    read = gets(source)
    plan = await replicate("plan", "--json")

    assert (first.code, second.code) == (0, 0)
    assert destination.storage.tags("mirror") == ["small"]
    assert read == 0
    left_out = {each["source"][-5:]: each["reason"] for each in plan.json["plans"][0]["left_out"]}
    assert "more than max_size = 100.0 KiB" in left_out["large"]
    assert "none of artifact_types" in left_out["chart"]


async def test_an_index_has_the_labels_of_its_first_image(replicate, registries):
    source, destination = registries
    layer = store_layer(source.storage, "team/app", "layer")
    store_image_of(source.storage, "team/app", "ours", [layer], label="ours")
    store_image_of(source.storage, "team/app", "theirs", [layer], label="theirs")
    store_index(source.storage, "team/app", "both")
    replicate.write_config(config(source, destination, 'tags = { labels = ["label=our?"] }'))

    done = await replicate("run")

    assert done.code == 0
    assert destination.storage.tags("mirror") == ["ours"]


MIRROR = 'prune = "mirror"\nprune_after = "0s"'


async def test_two_runs_and_an_answer_of_not_found_remove_a_tag(replicate, registries):
    source, destination = registries
    for tag in ("1.0", "1.1"):
        store_image(source.storage, "team/app", tag, seed=tag)
    replicate.write_config(config(source, destination, MIRROR))
    await replicate("run")
    source.storage.delete_tag("team/app", "1.0")

    first = await replicate("run")
    kept = destination.storage.tags("mirror")
    second = await replicate("run")
    shown = await replicate("runs", "list", "--json")
    run = await replicate("runs", "show", shown.json["runs"][0]["run"], "--json")

    assert (first.code, kept) == (0, ["1.0", "1.1"])
    assert "1 pruned" in second.out
    assert destination.storage.tags("mirror") == ["1.1"]
    assert [(each["decision"], each["outcome"]) for each in run.json["tags"]] == [
        ("prune", "written")
    ]


async def test_where_tags_are_not_known_to_go_alone_none_goes(replicate, registries):
    source, destination = registries
    for tag in ("1.0", "1.1"):
        store_image(source.storage, "team/app", tag, seed=tag)
    replicate.write_config(config(source, destination, MIRROR, kind="generic"))
    await replicate("run")
    source.storage.delete_tag("team/app", "1.0")
    await replicate("run")

    done = await replicate("run")

    assert done.code == 3
    assert "deleting by digest could take other tags with it" in done.err
    assert destination.storage.tags("mirror") == ["1.0", "1.1"]


async def test_a_failing_tag_waits_until_it_is_due_or_asked_for(replicate, registries):
    source, destination = registries
    store_image(source.storage, "team/app", "1.0")
    source.storage.put_tag("team/app", "broken", store_broken(source.storage))
    replicate.write_config(config(source, destination, ""))

    first, second, third = [await replicate("run") for _ in range(3)]
    named = await replicate("run", "app")

    assert [each.code for each in (first, second, third, named)] == [3, 3, 3, 3]
    assert ["1 failed" in each.out for each in (first, second, third, named)] == [
        True, True, False, True,
    ]  # fmt: skip
    assert "failed 2 times, not tried again before" in third.err


def store_broken(storage):
    from replicator.embedded.storage import StoredManifest
    from replicator.oci.digest import Digest

    content = b"not a manifest"
    digest = Digest.of(content)
    storage.put_manifest(
        "team/app", digest, StoredManifest("application/vnd.oci.image.index.v1+json", content)
    )
    return digest


async def test_a_tag_that_is_an_image_of_another_platform_fails_beside_those_that_are_copied(
    replicate, registries
):
    source, destination = registries
    index = store_index(source.storage, "team/app", "1.0")
    store_image(source.storage, "team/app", "2.0", platform=ARM64)
    wanted = store_image(source.storage, "team/app", "3.0", platform=AMD64)
    replicate.write_config(config(source, destination, 'platforms = ["linux/amd64"]'))

    done = await replicate("run", "--report", "-")

    (failure,) = done.json["runs"][0]["tags"]
    assert done.code == 3
    assert (failure["tag"], failure["side"]) == ("2.0", "source")
    assert "no image for linux/amd64; there is: linux/arm64" in failure["message"]
    assert destination.storage.resolve("mirror", "1.0") not in (None, index.digest)
    assert destination.storage.resolve("mirror", "2.0") is None
    assert destination.storage.resolve("mirror", "3.0") == wanted.digest


async def test_what_refers_to_an_index_that_was_cut_down_is_told_to_be_left_behind(
    replicate, registries
):
    source, destination = registries
    index = store_index(source.storage, "team/app", "1.0")
    store_artifact(source.storage, "team/app", subject=index)
    replicate.write_config(config(source, destination, 'platforms = ["linux/amd64"]'))

    done = await replicate("run", "--report", "-")
    run = await replicate("runs", "show", done.json["runs"][0]["run"], "--json")

    assert done.code == 0
    assert run.json["tags"][0]["reason"].endswith(
        "; 1 of the index's referrers left behind: its digest is another here"
    )


async def test_with_repoint_an_sbom_follows_the_index_that_was_cut_down_also_a_late_one(
    replicate, registries
):
    source, destination = registries
    index = store_index(source.storage, "team/app", "1.0")
    sbom = store_artifact(source.storage, "team/app", artifact_type="text/spdx", subject=index)
    options = 'platforms = ["linux/amd64"]\npruned_referrers = "repoint"'
    service = "[service]\nconfirm_share = 1.0\n"
    replicate.write_config(service + config(source, destination, options))

    first = await replicate("run", "--report", "-")
    late = store_artifact(
        source.storage, "team/app", seed="late", artifact_type="text/spdx", subject=index
    )
    store_artifact(source.storage, "team/app", seed="signature", subject=index)
    await replicate("run")

    run = await replicate("runs", "show", first.json["runs"][0]["run"], "--json")
    assert run.json["tags"][0]["reason"].endswith(
        "; 1 of the index's referrers refer to the new one"
    )
    written = destination.storage.resolve("mirror", "1.0")
    assert made_from(destination.storage, "mirror", written) == {str(sbom.digest), str(late.digest)}


def made_from(storage, repository, subject):
    """The digests that the referrers of a manifest say they were made from."""
    found = [
        json.loads(storage.manifest(repository, digest).content)
        for digest in storage.referrers(repository, subject)
    ]
    return {each["annotations"]["replicator.repointed-from"] for each in found}
