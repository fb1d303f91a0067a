"""How blobs are offered and sent when things go wrong, and when registries have habits."""

from __future__ import annotations

import asyncio
import contextlib
import re

import pytest

from replicator.errors import (
    ContentMismatch,
    Denied,
    NotARegistry,
    OutboundRefused,
    RegistryUnavailable,
    Rejected,
    TooLarge,
)
from replicator.events import BlobOutcome, RequestKind
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.media_types import OCTET_STREAM
from replicator.registry.protocols import LARGE
from replicator.registry.settings import Timeouts
from tests.registry.clients import pieces_of
from tests.registry.test_repository import blob_of, send
from tests.support import faults as fault
from tests.support.embedded import random_bytes, store_blob

SIZE = 300_000
CONTENT = random_bytes("sent", SIZE)
BLOB = blob_of(CONTENT)
POST = "POST", "/uploads/"
MOUNT = "POST", "[?&]mount="
PUT = "PUT", "/uploads/"
PATCH = "PATCH", "/uploads/"
HEAD = "HEAD", "/blobs/"


@pytest.fixture
def client(open_client, faulty):
    return open_client(faulty.host)


def methods(registry):
    return [request.method for request in registry.requests]


class SourceBroke(Exception):
    pass


async def pieces_that_break(after):
    yield CONTENT[:after]
    raise SourceBroke


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 500])
async def test_a_refused_mount_ends_with_the_blob_sent(faults, faulty, repository, status):
    faults.add(fault.answer(status), *MOUNT)
    store_blob(faulty.storage, "team/other", CONTENT)

    offer = await repository.offer_blob(BLOB, mount_from="team/other")
    await offer.send(pieces_of(CONTENT))

    assert await repository.has_blob(BLOB)


async def test_a_mount_that_no_quota_has_room_for_sends_no_blob_either(faults, faulty, repository):
    words = "adding 2.0 MiB of storage, which will exceed the configured upper limit of 1.0 MiB."
    faults.add(fault.answer(403, fault.error_body("DENIED", words)), *MOUNT)

    with pytest.raises(Denied, match="a quota is full"):
        await repository.offer_blob(BLOB, mount_from="team/other")

    assert methods(faulty) == ["POST"]


async def test_a_mount_from_where_the_blob_is_not_finds_the_one_that_is_there(faulty, repository):
    store_blob(faulty.storage, "team/app", CONTENT)

    offer = await repository.offer_blob(BLOB, mount_from="team/other")

    assert offer == BlobOutcome.PRESENT


async def test_a_source_that_breaks_ends_the_upload_with_its_own_error(faulty, repository):
    offer = await repository.offer_blob(BLOB)

    with pytest.raises(SourceBroke):
        await offer.send(pieces_that_break(after=100_000))

    assert not await repository.has_blob(BLOB)


async def test_a_source_that_ends_early_never_completes_a_blob(faulty, repository):
    offer = await repository.offer_blob(BLOB)

    with pytest.raises(ContentMismatch):
        await offer.send(pieces_of(CONTENT[:-1]))

    assert not await repository.has_blob(BLOB)


async def test_a_refusal_in_the_middle_is_the_destinations(faults, repository):
    faults.add(fault.answer(403, fault.error_body("DENIED", "quota exceeded")), *PUT)
    offer = await repository.offer_blob(BLOB)

    with pytest.raises(Denied, match="quota exceeded"):
        await offer.send(pieces_of(CONTENT))


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
async def test_a_failure_is_worth_sending_again(faults, repository, status):
    faults.add(fault.answer(status), *PUT, nth=1)
    offer = await repository.offer_blob(BLOB)

    with pytest.raises(RegistryUnavailable) as failure:
        await offer.send(pieces_of(CONTENT))

    assert failure.value.retryable
    assert failure.value.status == status
    await send(repository, CONTENT)
    assert await repository.has_blob(BLOB)


async def test_a_blob_whose_answer_was_lost_is_there(faults, faulty, repository):
    faults.add(fault.hang_up_after(), *PUT, nth=1)
    offer = await repository.offer_blob(BLOB)

    await offer.send(pieces_of(CONTENT))

    assert faulty.requests.count("PUT") == 1
    assert await repository.has_blob(BLOB)


async def test_a_proxy_that_answers_413_for_a_stored_blob_does_no_harm(faults, repository):
    faults.add(fault.set_status(413), *PUT, nth=1)
    offer = await repository.offer_blob(BLOB)

    await offer.send(pieces_of(CONTENT))

    assert await repository.has_blob(BLOB)


async def test_a_416_to_the_closing_put_of_a_blob_that_is_there_does_no_harm(
    open_client, faulty, faults
):
    faults.add(fault.set_status(416), *PUT, nth=1)
    repository = open_client(faulty.host, kind="acr").registry.repository("team/app")
    offer = await repository.offer_blob(BLOB)

    await offer.send(pieces_of(CONTENT))

    assert await repository.has_blob(BLOB)
    assert methods(faulty).count("PATCH") == 1


async def test_a_session_that_failed_is_not_deleted(faults, faulty, repository):
    faults.add(fault.answer(400, fault.error_body("DIGEST_INVALID")), *PUT)
    offer = await repository.offer_blob(BLOB)

    with pytest.raises(RegistryUnavailable):
        await offer.send(pieces_of(CONTENT))

    assert "DELETE" not in methods(faulty)


async def test_a_broken_upload_goes_on_where_the_session_is(faults, faulty, repository):
    faults.add(fault.hang_up_while_receiving(after=200_000), *PUT, nth=1)
    offer = await repository.offer_blob(BLOB)
    with pytest.raises(RegistryUnavailable):
        await offer.send(pieces_of(CONTENT))

    held = await offer.received()
    await offer.send(pieces_of(CONTENT[held:]), offset=held)

    assert 0 < held <= 200_000
    assert await repository.has_blob(BLOB)
    assert methods(faulty)[-4:] == ["GET", "PATCH", "PUT", "HEAD"]


async def test_a_part_that_was_appended_where_it_did_not_belong_spoils_the_session(
    faults, faulty, repository
):
    faults.add(fault.hang_up_while_receiving(after=200_000), *PUT, nth=1)
    offer = await repository.offer_blob(BLOB)
    with pytest.raises(RegistryUnavailable):
        await offer.send(pieces_of(CONTENT))
    held = await offer.received()
    faults.add(fault.set_header("Range", f"0-{SIZE + 99_999}"), *PATCH)

    with pytest.raises(RegistryUnavailable, match="and not 300000"):
        await offer.send(pieces_of(CONTENT[held:]), offset=held)

    assert await offer.received() is None


async def test_a_broken_upload_goes_on_with_distribution_3(
    open_client, distribution3, repository_path
):
    repository = open_client(distribution3.host).registry.repository(repository_path)
    content = random_bytes("broken", 8_000_000)
    offer = await repository.offer_blob(blob_of(content))

    async def break_off():
        yield content[:5_000_000]
        raise SourceBroke

    with pytest.raises(SourceBroke):
        await offer.send(break_off())
    await continue_upload(offer, content)

    assert await repository.has_blob(blob_of(content))


async def continue_upload(upload, content):
    """Go on until it works: it takes the registry a moment to write down what it has got."""
    for _ in range(100):
        held = await upload.received()
        if held is not None:
            with contextlib.suppress(RegistryUnavailable):
                return await upload.send(pieces_of(content[held:]), offset=held)
    raise AssertionError("the session could not be continued")


async def test_a_session_that_is_forgotten_has_to_start_again(
    open_client, distribution2, repository_path
):
    repository = open_client(distribution2.host).registry.repository(repository_path)
    offer = await repository.offer_blob(BLOB)
    with pytest.raises(SourceBroke):
        await offer.send(pieces_that_break(after=200_000))

    assert await offer.received() is None


@pytest.mark.parametrize(
    ("range_", "held"),
    [
        ("0-99", 100),
        ("bytes=0-99", 100),
        ("0-0", None),
        ("0--1", None),
        ("nonsense", None),
        ("0-300000", None),
        (None, None),
    ],
)
async def test_the_range_of_a_session_is_read(faults, repository, range_, held):
    faults.add(fault.set_header("Range", range_), "GET", "/uploads/")
    offer = await repository.offer_blob(BLOB)

    assert await offer.received() == held


async def test_quay_and_gitea_count_one_too_many(open_client, faults, faulty):
    faults.add(fault.set_header("Range", "bytes=0-100"), "GET", "/uploads/")
    faults.add(fault.set_header("Location", None), "GET", "/uploads/")
    for kind in ("quay", "gitea"):
        repository = open_client(faulty.host, kind=kind).registry.repository("team/app")
        offer = await repository.offer_blob(blob_of(kind.encode()))

        assert await (await repository.offer_blob(BLOB)).received() == 100
        assert offer.location


async def test_a_profile_that_sends_by_patch_does(open_client, faulty):
    repository = open_client(faulty.host, kind="artifactory").registry.repository("team/app")

    await send(repository, CONTENT)

    assert [method for method in methods(faulty) if method in ("PATCH", "PUT")] == ["PATCH", "PUT"]
    assert await repository.has_blob(BLOB)


@pytest.mark.parametrize("status", [201, 202, 204])
async def test_any_success_of_a_patch_will_do(open_client, faults, faulty, status):
    repository = open_client(faulty.host, kind="acr").registry.repository("team/app")
    faults.add(fault.set_status(status), *PATCH)

    await send(repository, CONTENT)

    assert await repository.has_blob(BLOB)


async def test_202_to_the_closing_put_is_no_success(faults, repository):
    faults.add(fault.answer(202), *PUT)
    offer = await repository.offer_blob(BLOB)

    with pytest.raises(NotARegistry, match="202"):
        await offer.send(pieces_of(CONTENT))


async def test_a_blob_that_is_kept_by_another_digest_alone_is_rejected(faults, repository):
    content = b"by its sha512"
    digest = Digest.of(content, "sha512")
    blob = Descriptor(OCTET_STREAM, digest, len(content))
    faults.add(fault.set_header("Docker-Content-Digest", str(Digest.of(content))), *PUT)
    upload = await repository.offer_blob(blob)
    faults.add(fault.answer(404), *HEAD)

    with pytest.raises(Rejected, match="keeps nothing by sha512") as refusal:
        await upload.send(pieces_of(content))

    assert not refusal.value.retryable


async def test_who_does_not_take_a_put_gets_a_patch_from_then_on(faults, faulty, repository):
    async def refuse_bodies(app, scope, receive, send):
        empty = dict(scope["headers"]).get(b"content-length") == b"0"
        await (app if empty else refuse)(scope, receive, send)

    async def refuse(scope, receive, send):
        await fault.answer(400, b"<html>")(refuse, scope, receive, send)

    faults.add(refuse_bodies, *PUT)
    offer = await repository.offer_blob(BLOB)
    with pytest.raises(RegistryUnavailable, match="another way"):
        await offer.send(pieces_of(CONTENT))

    await send(repository, CONTENT)
    await send(repository, CONTENT[:-1])

    assert await repository.has_blob(BLOB)
    assert faulty.requests.count("PUT", status=400) == 1
    assert faulty.requests.count("PATCH") == 2


async def test_who_does_not_take_a_patch_gets_a_put_from_then_on(open_client, faults, faulty):
    repository = open_client(faulty.host, kind="acr").registry.repository("team/app")
    faults.add(fault.answer(400, b"<html>"), *PATCH)
    offer = await repository.offer_blob(BLOB)
    with pytest.raises(RegistryUnavailable, match="another way"):
        await offer.send(pieces_of(CONTENT))

    await send(repository, CONTENT)

    assert await repository.has_blob(BLOB)


def limit_bodies(most):
    async def act(app, scope, receive, send):
        size = int(dict(scope["headers"]).get(b"content-length", b"0"))
        action = fault.answer(413, b"<html>") if size > most else fault.set_header("X", None)
        await action(app, scope, receive, send)

    return act


async def test_who_fails_twice_with_500_at_a_put_gets_a_patch_from_then_on(
    faults, faulty, open_client
):
    async def fail_at_bodies(app, scope, receive, send):
        empty = dict(scope["headers"]).get(b"content-length") == b"0"
        await (app if empty else fail)(scope, receive, send)

    async def fail(scope, receive, send):
        await fault.answer(500)(fail, scope, receive, send)

    faults.add(fail_at_bodies, *PUT)
    repository = open_client(faulty.host, retries=0).registry.repository("team/app")
    for _ in range(2):
        offer = await repository.offer_blob(BLOB)
        with pytest.raises(RegistryUnavailable):
            await offer.send(pieces_of(CONTENT))

    await send(repository, CONTENT)

    assert await repository.has_blob(BLOB)
    assert methods(faulty).count("PATCH") == 1


async def test_a_body_that_is_too_large_for_a_proxy_goes_in_small_parts(faults, faulty, repository):
    content = random_bytes("too large", 3_000_000)
    faults.add(limit_bodies(1_000_000), "", "/uploads/")
    offer = await repository.offer_blob(blob_of(content))
    with pytest.raises(RegistryUnavailable, match="another way"):
        await offer.send(pieces_of(content))

    await send(repository, content)

    assert await repository.has_blob(blob_of(content))
    assert faulty.requests.count("PATCH", status=202) == 4


async def test_a_large_blob_that_does_not_go_in_one_patch_goes_in_parts(
    open_client, faults, faulty
):
    """Quay gets large blobs in a PATCH; behind a proxy that may be too much at once."""
    content = bytes(LARGE)
    faults.add(limit_bodies(20_000_000), "", "/uploads/")
    repository = open_client(faulty.host, kind="quay").registry.repository("team/app")
    offer = await repository.offer_blob(blob_of(content))
    with pytest.raises(RegistryUnavailable, match="another way"):
        await offer.send(pieces_of(content))

    await send(repository, content)

    assert await repository.has_blob(blob_of(content))
    assert faulty.requests.count("PATCH", status=413) == 1
    assert faulty.requests.count("PATCH", status=202) == 2


async def test_what_goes_in_parts_goes_on_in_parts_after_a_break(faults, faulty, repository):
    faults.add(limit_bodies(1_000_000), "", "/uploads/")
    first, second = random_bytes("first", 3_000_000), random_bytes("second", 3_000_000)
    offer = await repository.offer_blob(blob_of(first))
    with pytest.raises(RegistryUnavailable, match="another way"):
        await offer.send(pieces_of(first))
    upload = await repository.offer_blob(blob_of(second))
    faults.add(fault.answer(502), *PATCH, nth=2)
    with pytest.raises(RegistryUnavailable, match="502"):
        await upload.send(pieces_of(second))

    held = await upload.received()
    await upload.send(pieces_of(second[held:]), offset=held)

    assert 0 < held < 1_000_000
    assert await repository.has_blob(blob_of(second))
    assert faulty.requests.count("PATCH", status=413) == 0


async def test_a_limit_that_nothing_gets_under_is_said_to_be_one(faults, repository):
    content = random_bytes("much too large", 3_000_000)
    faults.add(limit_bodies(1000), "", "/uploads/")
    offer = await repository.offer_blob(blob_of(content))
    with pytest.raises(RegistryUnavailable):
        await offer.send(pieces_of(content))
    offer = await repository.offer_blob(blob_of(content))

    with pytest.raises(TooLarge, match="proxy"):
        await offer.send(pieces_of(content))


async def test_parts_are_as_large_as_the_registry_wants_them(open_client, faults, faulty):
    content = random_bytes("parts", 3_000_000)
    faults.add(fault.set_header("OCI-Chunk-Min-Length", "2000000"), *POST)
    faults.add(limit_bodies(2_500_000), "", "/uploads/")
    repository = open_client(faulty.host).registry.repository("team/app")
    offer = await repository.offer_blob(blob_of(content))
    with pytest.raises(RegistryUnavailable):
        await offer.send(pieces_of(content))

    await send(repository, content)

    assert faulty.requests.count("PATCH", status=202) == 2


@pytest.mark.parametrize(
    "location",
    [
        lambda path: path,
        lambda path: path.rsplit("/", 1)[-1],
    ],
)
async def test_a_relative_location_is_resolved(faults, repository, location):
    faults.add(fault.edit_header("Location", location), *POST)

    await send(repository, CONTENT)

    assert await repository.has_blob(BLOB)


async def test_a_location_elsewhere_is_refused(faults, start_registry, repository):
    other = await start_registry()
    faults.add(fault.edit_header("Location", lambda path: f"{other.url}{path}"), *POST)

    with pytest.raises(OutboundRefused):
        await repository.offer_blob(BLOB)

    assert not len(other.requests)


async def test_the_query_of_a_location_stays_as_it_is(faults, repository):
    seen = []

    async def look(app, scope, receive, send):
        seen.append(scope["query_string"].decode())
        await app(scope, receive, send)

    faults.add(
        fault.edit_header("Location", lambda path: f"{path.split('?')[0]}?_state=a%2Fb%3D&z=1&b=2"),
        *POST,
    )
    faults.add(look, *PUT)
    offer = await repository.offer_blob(BLOB)

    with pytest.raises(RegistryUnavailable):
        await offer.send(pieces_of(CONTENT))

    digest = str(BLOB.digest).replace(":", "%3A")
    assert seen == [f"_state=a%2Fb%3D&z=1&b=2&digest={digest}"]


async def test_an_upload_without_a_location_is_no_registrys(faults, repository):
    faults.add(fault.set_header("Location", None), *POST)

    with pytest.raises(NotARegistry, match="Location"):
        await repository.offer_blob(BLOB)


async def test_a_registry_that_stands_still_is_given_up(open_client, faults, faulty):
    faults.add(fault.hold(asyncio.Event()), *PUT)
    timeouts = Timeouts(idle=0.2, closing=0.2)
    repository = open_client(faulty.host, retries=0, timeouts=timeouts).registry.repository("a")
    content = random_bytes("still", 20_000_000)
    offer = await repository.offer_blob(blob_of(content))

    with pytest.raises(RegistryUnavailable):
        await offer.send(pieces_of(content))


async def test_another_digest_in_the_answer_is_a_mismatch(faults, repository):
    faults.add(fault.set_header("Docker-Content-Digest", f"sha256:{'0' * 64}"), *PUT)
    offer = await repository.offer_blob(BLOB)

    with pytest.raises(ContentMismatch):
        await offer.send(pieces_of(CONTENT))


async def test_a_session_that_went_away_is_worth_a_new_one(faults, repository):
    faults.add(fault.answer(404, fault.error_body("BLOB_UPLOAD_UNKNOWN")), *PUT, nth=1)
    offer = await repository.offer_blob(BLOB)
    with pytest.raises(RegistryUnavailable, match="anew"):
        await offer.send(pieces_of(CONTENT))

    await send(repository, CONTENT)

    assert await repository.has_blob(BLOB)


async def test_sixteen_blobs_at_once_arrive(client, faulty):
    repository = client.registry.repository("team/app")
    contents = [random_bytes(f"many {number}", 50_000) for number in range(16)]

    await asyncio.gather(*(send(repository, content) for content in contents))

    for content in contents:
        assert await repository.has_blob(blob_of(content))
    assert client.heard.requests[RequestKind.UPLOAD] >= 32
    assert not re.search("PATCH", " ".join(methods(faulty)))
