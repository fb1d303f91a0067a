"""``replicate verify``: what became of what was published, and how it is made right again."""

from __future__ import annotations

import json

import pytest

from replicator.oci.digest import Digest
from tests.support.embedded import store_image, store_index
from tests.support.faults import Faults, answer

PATH = "mirror/team/app"
RIGHT = "3 of 3 tags are as published"


class Mirror:
    """Two images and an index that a rule has published."""

    def __init__(self, replicate, source, destination, faults):
        self.replicate, self.source, self.faults = replicate, source, faults
        self.host, self.storage = destination.host, destination.storage
        self.requests = destination.requests

    def configure(self, more=""):
        self.replicate.write_config(f"""
[[rules]]
name = "app"
source = "{self.source.host}/team/app"
destinations = ["{self.host}/mirror/{{repository}}"]
{more}
""")

    def digest(self, tag):
        return self.storage.resolve(PATH, tag)

    def blobs(self, tag):
        """Return the digests of an image's config and layers."""
        document = json.loads(self.storage.manifest(PATH, self.digest(tag)).content)
        parts = [document["config"], *document["layers"]]
        return [Digest.parse(part["digest"]) for part in parts]


@pytest.fixture
async def mirror(replicate, start_registry):
    faults = Faults()
    source, destination = await start_registry(), await start_registry(wrap=faults)
    store_image(source.storage, "team/app", "1.0", seed="one")
    store_image(source.storage, "team/app", "2.0", seed="two")
    store_index(source.storage, "team/app", "multi")
    mirror = Mirror(replicate, source, destination, faults)
    mirror.configure()
    assert (await replicate("run")).code == 0
    return mirror


async def test_what_is_as_it_was_published_is_right(replicate, mirror):
    done = await replicate("verify")

    assert (done.code, done.out.strip()) == (0, RIGHT)


async def test_a_tag_that_is_gone_is_found_and_repaired(replicate, mirror):
    wanted = mirror.digest("1.0")
    mirror.storage.delete_tag(PATH, "1.0")

    found = await replicate("verify")
    repaired = await replicate("verify", "--repair")

    assert found.code == 3
    assert found.out.splitlines() == [
        f"gone\t{mirror.host}/{PATH}:1.0\tthe tag is not there",
        "2 of 3 tags are as published; 1 gone",
    ]
    assert repaired.code == 0, repaired
    assert mirror.digest("1.0") == wanted
    assert (await replicate("verify")).out.strip() == RIGHT


async def test_a_blob_that_is_gone_below_a_tag_that_is_right_is_found_and_sent_again(
    replicate, mirror
):
    lost = mirror.blobs("1.0")[-1]
    mirror.storage.delete_blob(PATH, lost)

    found = await replicate("verify")
    unaware = await replicate("run")
    repaired = await replicate("verify", "--repair")

    assert found.code == 3
    assert found.out.startswith(f"broken\t{mirror.host}/{PATH}:1.0\t{lost} is missing\n")
    # A run takes the registry's word for its own tag.
    assert unaware.code == 0
    assert repaired.code == 0, repaired
    assert mirror.storage.blob_size(PATH, lost) is not None
    assert (await replicate("verify")).out.strip() == RIGHT


async def test_a_child_of_an_index_that_is_gone_is_found_and_written_again(replicate, mirror):
    index = json.loads(mirror.storage.manifest(PATH, mirror.digest("multi")).content)
    child = Digest.parse(index["manifests"][0]["digest"])
    mirror.storage.delete_manifest(PATH, child)

    found = await replicate("verify", "--json")
    repaired = await replicate("verify", "--repair")

    (finding,) = found.json["findings"]
    assert (finding["tag"], finding["drift"]) == ("multi", "broken")
    assert repaired.code == 0, repaired
    assert mirror.storage.manifest(PATH, child) is not None


@pytest.mark.parametrize("overwrite", ["always", "if-ours", "never"])
async def test_a_tag_that_somebody_moved_is_made_ours_again_where_the_rule_overwrites(
    replicate, mirror, overwrite
):
    wanted, other = mirror.digest("1.0"), mirror.digest("2.0")
    mirror.configure(f'overwrite = "{overwrite}"')
    mirror.storage.put_tag(PATH, "1.0", other)

    found = await replicate("verify")
    repaired = await replicate("verify", "--repair")

    assert found.out.splitlines()[0] == (
        f"moved\t{mirror.host}/{PATH}:1.0\tit names {other}, not {wanted}"
    )
    if overwrite == "always":
        assert (repaired.code, mirror.digest("1.0")) == (0, wanted)
    else:
        assert (repaired.code, mirror.digest("1.0")) == (3, other)
        assert f'as overwrite is "{overwrite}" and not "always"' in repaired.err


async def test_a_repository_that_is_gone_is_made_again_although_the_ledger_knows_its_blobs(
    replicate, mirror
):
    wanted = {tag: mirror.digest(tag) for tag in ("1.0", "2.0", "multi")}
    blobs = mirror.blobs("1.0") + mirror.blobs("2.0")
    index = json.loads(mirror.storage.manifest(PATH, wanted["multi"]).content)
    for child in index["manifests"]:
        mirror.storage.delete_manifest(PATH, Digest.parse(child["digest"]))
    for tag, digest in wanted.items():
        mirror.storage.delete_tag(PATH, tag)
        mirror.storage.delete_manifest(PATH, digest)
    for blob in blobs:
        mirror.storage.delete_blob(PATH, blob)

    repaired = await replicate("verify", "--repair")

    assert repaired.code == 0, repaired
    assert (await replicate("verify")).out.strip() == RIGHT


async def test_what_cannot_be_seen_is_said_and_left_alone(replicate, mirror):
    mirror.faults.add(answer(403), target="/manifests/1.0")

    done = await replicate("verify", "--repair")

    assert done.code == 3
    assert done.out.startswith(f"unseen\t{mirror.host}/{PATH}:1.0\t")


async def test_content_that_tags_share_is_asked_for_once(replicate, mirror):
    store_image(mirror.source.storage, "team/app", "1.0-again", seed="one")
    assert (await replicate("run")).code == 0
    mirror.requests.clear()

    done = await replicate("verify")

    assert done.out.strip() == "4 of 4 tags are as published"
    asked = [f"{each.method} {each.target}" for each in mirror.requests if "/blobs/" in each.target]
    assert len(asked) == len(set(asked)) > 0


async def test_nothing_published_is_nothing_wrong(replicate, start_registry):
    source = await start_registry()
    replicate.write_config(f"""
[[rules]]
name = "app"
source = "{source.host}/never/was"
destinations = ["{source.host}/mirror"]
""")

    done = await replicate("verify")

    assert (done.code, done.out.strip()) == (0, "nothing was published yet")


@pytest.mark.parametrize("options", [(), ("--repair",)])
async def test_a_password_that_is_not_there_is_said_once_and_not_for_each_tag(
    replicate, mirror, options
):
    mirror.configure(f"""
[registries."{mirror.host}"]
credential = {{ username = "me", password_env = "NOT_SET_ANYWHERE" }}
""")
    before = len(mirror.requests)

    done = await replicate("verify", *options)

    assert (done.code, done.out) == (2, "")
    assert done.complaint.endswith(
        f"{mirror.host}: the environment variable NOT_SET_ANYWHERE is not set"
    )
    assert len(mirror.requests) == before


async def test_a_signature_that_came_along_is_known_from_the_first_run_on(replicate, mirror):
    image = store_image(mirror.source.storage, "team/app", "signed", seed="signed")
    signature = f"sha256-{image.digest.hex}.sig"
    store_image(mirror.source.storage, "team/app", signature, seed="signature")
    assert (await replicate("run")).code == 0

    verified = await replicate("verify")
    mirror.storage.delete_tag(PATH, signature)
    found = await replicate("verify")

    assert verified.out.strip() == "5 of 5 tags are as published"
    assert found.out.startswith(f"gone\t{mirror.host}/{PATH}:{signature}\t")


async def test_a_run_asks_no_destination_for_signatures_that_it_has_brought(replicate, mirror):
    image = store_image(mirror.source.storage, "team/app", "signed", seed="signed")
    store_image(mirror.source.storage, "team/app", f"sha256-{image.digest.hex}.sig", seed="sig")
    assert (await replicate("run")).code == 0
    mirror.requests.clear()

    assert (await replicate("run")).code == 0

    assert [f"{each.method} {each.target}" for each in mirror.requests] == []
