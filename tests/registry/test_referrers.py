"""Referrers by the API and by the tag schema, and who maintains the list."""

from __future__ import annotations

import asyncio
import json

import pytest

from replicator.errors import Rejected
from replicator.events import RequestKind
from replicator.oci.digest import Digest
from replicator.oci.media_types import OCI_INDEX
from replicator.oci.reference import Tag
from replicator.oci.tag_schema import schema_tag
from tests.registry.test_repository import manifest_of, push_image, send
from tests.support import faults as fault
from tests.support.embedded import (
    descriptor_json,
    manifest_json,
    store_artifact,
    store_cosign_signature,
    store_image,
    store_index,
    store_manifest,
)

REFERRERS = "GET", "/referrers/"
TAGS = "GET", "/tags/list"


@pytest.fixture
def client(open_client, faulty):
    return open_client(faulty.host)


@pytest.fixture
def subject(faulty):
    return store_image(faulty.storage, "team/app", "v1")


def refer_to(faulty, subject, count=1):
    return {
        store_artifact(faulty.storage, "team/app", seed=f"artifact {n}", subject=subject).digest
        for n in range(count)
    }


def digests(descriptors):
    return {each.digest for each in descriptors}


def list_by_tag(faulty, subject, referrers):
    """Store the index of the tag schema, as clients maintain it."""
    body = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [descriptor_json(each) for each in referrers],
    }
    tag = schema_tag(subject.digest)
    return store_manifest(faulty.storage, "team/app", body, OCI_INDEX, tag=tag)


@pytest.mark.parametrize("status", [400, 404, 405, 406])
async def test_without_an_api_the_tag_tells_and_the_api_is_not_asked_again(
    faults, faulty, client, repository, subject, status
):
    referrer = store_artifact(faulty.storage, "team/app")
    list_by_tag(faulty, subject, [referrer])
    faults.add(fault.answer(status, b"404 page not found"), *REFERRERS)

    found = await asyncio.gather(
        *(repository.list_referrers(digest) for digest in (subject.digest, referrer.digest))
    )

    assert found == [(referrer,), ()]
    assert client.heard.requests[RequestKind.REFERRERS] == 1


async def test_an_answer_of_another_type_is_no_api(faults, faulty, repository, subject):
    referrer = store_artifact(faulty.storage, "team/app")
    list_by_tag(faulty, subject, [referrer])
    page = fault.answer(200, b"{}", headers={"Content-Type": "application/json"})
    faults.add(page, *REFERRERS)

    assert await repository.list_referrers(subject.digest) == (referrer,)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_closed_api_says_nothing_about_other_repositories(
    faults, faulty, client, repository, subject, status
):
    expected = refer_to(faulty, subject)
    faults.add(fault.answer(status), *REFERRERS, times=1)

    assert await repository.list_referrers(subject.digest) == ()
    again = client.registry.repository("team/app")
    assert digests(await again.list_referrers(subject.digest)) == expected


async def test_all_pages_of_the_api_are_read(faults, faulty, repository, subject):
    expected = refer_to(faulty, subject, 5)
    pages = iter(range(3))

    async def page(app, scope, receive, send):
        """Give out two referrers a page."""
        number = next(pages)

        def part(body):
            index = json.loads(body)
            index["manifests"] = index["manifests"][2 * number : 2 * number + 2]
            return json.dumps(index).encode()

        async def linked(scope, receive, send):
            link = f'<{scope["path"]}?page={number + 1}>; rel="next"' if number < 2 else None
            await fault.set_header("Link", link)(app, scope, receive, send)

        await fault.edit_body(part)(linked, scope, receive, send)

    faults.add(page, *REFERRERS)

    assert digests(await repository.list_referrers(subject.digest)) == expected


async def test_a_digest_that_quay_does_not_have_has_no_referrers(open_client, faults, faulty):
    client = open_client(faulty.host, kind="quay")
    repository = client.registry.repository("team/app")
    faults.add(fault.answer(400, fault.error_body("MANIFEST_INVALID")), *REFERRERS)

    assert await repository.list_referrers(Digest.of(b"absent")) == ()
    assert set(client.heard.requests) == {RequestKind.REFERRERS}


async def test_a_profile_may_know_that_there_is_no_api(open_client, faulty, subject):
    client = open_client(faulty.host, kind="ghcr")
    repository = client.registry.repository("team/app")

    assert await repository.list_referrers(subject.digest) == ()
    assert set(client.heard.requests) == {RequestKind.TAGS}


async def test_the_children_of_an_index_under_its_own_digest_are_no_referrers(open_client, faulty):
    index = store_index(faulty.storage, "team/app", "v1")
    faulty.storage.put_tag("team/app", schema_tag(index.digest), index.digest)
    repository = open_client(faulty.host, kind="ghcr").registry.repository("team/app")

    assert await repository.list_referrers(index.digest) == ()


async def test_an_image_under_the_tag_of_the_schema_has_no_list(open_client, faulty, subject):
    other = store_image(faulty.storage, "team/app", schema_tag(subject.digest), seed="other")
    repository = open_client(faulty.host, kind="ghcr").registry.repository("team/app")

    assert await repository.list_referrers(subject.digest) == ()
    assert other.digest != subject.digest


async def test_signature_tags_cost_one_listing_for_all(faulty, client, repository, subject):
    store_cosign_signature(faulty.storage, "team/app", subject)
    store_cosign_signature(faulty.storage, "team/app", subject, suffix="sbom")
    other = store_image(faulty.storage, "team/app", "v2", seed="other")

    prefix = f"sha256-{subject.digest.hex}"
    assert await repository.signature_tags(subject.digest) == (f"{prefix}.sig", f"{prefix}.sbom")
    assert await repository.signature_tags(other.digest) == ()
    assert client.heard.requests == {RequestKind.TAGS: 1}


async def test_a_listing_that_was_read_anyway_is_used(faulty, client, repository, subject):
    _ = [page async for page in repository.list_tags()]

    assert await repository.signature_tags(subject.digest) == ()
    assert client.heard.requests == {RequestKind.TAGS: 1}


async def test_who_may_not_list_asks_for_each_tag(faults, faulty, client, repository, subject):
    store_cosign_signature(faulty.storage, "team/app", subject)
    faults.add(fault.answer(403), *TAGS)

    assert await repository.signature_tags(subject.digest) == (f"sha256-{subject.digest.hex}.sig",)
    assert await repository.signature_tags(Digest.of(b"other")) == ()
    assert client.heard.requests[RequestKind.TAGS] == 1


async def test_a_repository_with_too_many_tags_is_asked_for_each(
    faults, faulty, client, repository, subject
):
    store_cosign_signature(faulty.storage, "team/app", subject)
    pages = iter(range(1000))

    async def page(app, scope, receive, send):
        number = next(pages)
        link = f'<{scope["path"]}?page={number}>; rel="next"'
        headers = {"Content-Type": "application/json", "Link": link}
        body = json.dumps({"tags": [f"t{number}"]}).encode()
        await fault.answer(200, body, headers=headers)(app, scope, receive, send)

    faults.add(page, *TAGS)

    assert await repository.signature_tags(subject.digest) == (f"sha256-{subject.digest.hex}.sig",)
    assert client.heard.requests[RequestKind.TAGS] == 10


async def push_referrer(repository, subject, seed="referrer"):
    payload = await send(repository, seed.encode())
    manifest = manifest_of(
        manifest_json(payload, [payload])
        | {
            "artifactType": "application/x.test",
            "subject": descriptor_json(subject),
            "annotations": {"seed": seed},
        }
    )
    await repository.put_manifest(manifest)
    return manifest.as_referrer()


async def test_nothing_is_announced_where_the_registry_took_note(client, repository):
    image = await push_image(repository)
    referrer = await push_referrer(repository, image.descriptor)
    before = client.heard.requests.total()

    await repository.announce_referrers(image.digest, [referrer])

    assert client.heard.requests.total() == before


async def test_a_registry_that_says_nothing_is_asked_whether_it_has_the_api(
    faults, faulty, client, repository
):
    faults.add(fault.set_header("OCI-Subject", None))
    image = await push_image(repository)
    referrer = await push_referrer(repository, image.descriptor)

    await repository.announce_referrers(image.digest, [referrer])
    await repository.announce_referrers(image.digest, [referrer])

    assert client.heard.requests[RequestKind.REFERRERS] == 1
    assert faulty.requests.count("PUT", "sha256-") == 0


@pytest.fixture
def without_api(faults):
    faults.add(fault.answer(404), *REFERRERS)
    faults.add(fault.set_header("OCI-Subject", None), "PUT")


async def test_without_an_api_the_list_is_kept_in_the_tag(without_api, repository, client):
    image = await push_image(repository)
    first = await push_referrer(repository, image.descriptor, "first")
    second = await push_referrer(repository, image.descriptor, "second")

    await repository.announce_referrers(image.digest, [first])
    await repository.announce_referrers(image.digest, [second, first])

    index = await repository.get_manifest(Tag(schema_tag(image.digest)))
    assert index.media_type == OCI_INDEX
    assert [each.digest for each in index.manifests] == [first.digest, second.digest]
    assert index.manifests[1].artifact_type == "application/x.test"
    assert index.manifests[1].annotations == {"seed": "second"}


async def test_two_who_announce_at_once_do_not_lose_anything(without_api, client, repository):
    image = await push_image(repository)
    referrers = [await push_referrer(repository, image.descriptor, str(n)) for n in range(5)]

    await asyncio.gather(
        *(
            client.registry.repository("team/app").announce_referrers(image.digest, [each])
            for each in referrers
        )
    )

    again = client.registry.repository("team/app")
    assert digests(await again.list_referrers(image.digest)) == digests(referrers)


async def test_a_listing_of_a_moment_ago_says_that_there_is_no_list_yet(
    without_api, client, repository
):
    image = await push_image(repository)
    referrer = await push_referrer(repository, image.descriptor)
    _ = [page async for page in repository.list_tags()]
    before = client.heard.requests[RequestKind.MANIFEST_GET]

    await repository.announce_referrers(image.digest, [referrer])

    assert client.heard.requests[RequestKind.MANIFEST_GET] == before
    again = client.registry.repository("team/app")
    assert digests(await again.list_referrers(image.digest)) == digests([referrer])


async def test_an_older_listing_says_nothing_about_who_writes_meanwhile(
    without_api, client, repository, open_client, faulty
):
    image = await push_image(repository)
    ours, theirs = [await push_referrer(repository, image.descriptor, each) for each in "ab"]
    _ = [page async for page in repository.list_tags()]
    other = open_client(faulty.host).registry.repository("team/app")
    await other.announce_referrers(image.digest, [theirs])
    client.patience.seconds += 60  # by when the listing is old

    await repository.announce_referrers(image.digest, [ours])

    again = client.registry.repository("team/app")
    assert digests(await again.list_referrers(image.digest)) == digests([ours, theirs])


async def test_a_list_that_another_run_began_is_no_new_one(without_api, client, repository):
    image = await push_image(repository)
    first, second = [await push_referrer(repository, image.descriptor, each) for each in "ab"]
    other = client.registry.repository("team/app")
    for each in (repository, other):
        _ = [page async for page in each.list_tags()]

    await repository.announce_referrers(image.digest, [first])
    await other.announce_referrers(image.digest, [second])

    again = client.registry.repository("team/app")
    assert digests(await again.list_referrers(image.digest)) == digests([first, second])


async def test_a_tag_that_is_no_list_is_left_alone(without_api, repository):
    image = await push_image(repository)
    referrer = await push_referrer(repository, image.descriptor)
    await push_image(repository, Tag(schema_tag(image.digest)), seed="not a list")

    with pytest.raises(Rejected, match="should list referrers"):
        await repository.announce_referrers(image.digest, [referrer])


async def test_distribution_finds_referrers_by_the_tag(open_client, distribution2, repository_path):
    client = open_client(distribution2.host)
    repository = client.registry.repository(repository_path)
    image = await push_image(repository)
    referrer = await push_referrer(repository, image.descriptor)

    await repository.announce_referrers(image.digest, [referrer])

    again = client.registry.repository(repository_path)
    assert digests(await again.list_referrers(image.digest)) == {referrer.digest}


@pytest.mark.parametrize(("kind", "first"), [("quay", True), ("generic", False), ("zot", False)])
def test_some_want_the_subject_first(open_client, kind, first):
    repository = open_client("127.0.0.1:1", kind=kind).registry.repository("team/app")

    assert repository.wants_subject_first == first


def test_the_tag_of_the_schema_is_cut():
    assert schema_tag(Digest("sha256", "a" * 64)) == f"sha256-{'a' * 64}"
    assert schema_tag(Digest("sha512", "b" * 128)) == f"sha512-{'b' * 64}"
