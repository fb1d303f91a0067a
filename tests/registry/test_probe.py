"""What ``replicate registry check`` finds out."""

from __future__ import annotations

import pytest

from replicator.errors import InvalidReference
from replicator.oci.reference import Tag
from replicator.registry.facts import Facts, apply
from replicator.registry.knowledge import Knowledge, Way
from replicator.registry.probe import facts_of, probe
from replicator.registry.profile import Shape, profile_for
from replicator.registry.settings import Credentials
from tests.fakes.ecr import FakeEcr
from tests.fakes.harbor import FakeHarbor
from tests.fakes.quay import FakeQuay
from tests.registry.test_repository import push_image
from tests.support import faults as fault
from tests.support.embedded import store_image


async def findings(registry, path=None, **options):
    return {each.subject: each async for each in probe(registry, path, **options)}


async def test_a_registry_is_looked_at_without_being_changed(open_client, faulty):
    store_image(faulty.storage, "team/app", "v1")

    found = await findings(open_client(faulty.host).registry, "team/app")

    assert {subject: finding.text for subject, finding in found.items()} == {
        "address": faulty.url,
        "login": "nobody has to log in",
        "kind": "generic",
        "catalogue": "1 repository on its first page",
        "rights": "not told; what is asked for is answered or refused",
        "tags": "1 tag on the first page",
        "pages": "too few tags to tell",
        "digests": "told by HEAD",
        "conditional requests": "answered 304 to a digest that is known",
        "referrers": "by the API",
        "deletion": "of a tag alone is not known to be possible; an entry with its kind may say "
        'so, such as kind = "distribution" for distribution 3',
    }
    assert {request.method for request in faulty.requests} == {"GET", "HEAD"}


async def test_only_writing_tells_how_blobs_are_sent(open_client, distribution3, repository_path):
    registry = open_client(distribution3.host).registry
    await push_image(registry.repository(repository_path))

    found = await findings(registry, repository_path, writes=True)

    assert found["uploads"].text == "sent by put; present blobs are told by mounts"
    assert found["referrers"].text == "by the tag schema"


async def test_how_a_login_is_made_is_found(open_client, htpasswd_registry):
    login = Credentials(*htpasswd_registry.address.credentials)
    registry = open_client(htpasswd_registry.host, login=login).registry

    found = await findings(registry)

    assert found["login"].text == "accepted; works with a password"
    assert found["catalogue"].good is None


async def test_a_wrong_password_is_found(open_client, htpasswd_registry):
    registry = open_client(htpasswd_registry.host, login=Credentials("alice", "wrong")).registry

    found = await findings(registry)

    assert found["address"].good
    assert found["login"].good is False


async def test_nothing_more_is_asked_of_what_is_no_registry(open_client, faults, faulty):
    faults.add(fault.answer(200, b"<html>", headers={"Content-Type": "text/html"}))

    found = await findings(open_client(faulty.host).registry, "team/app")

    assert list(found) == ["address"]
    assert found["address"].good is False


async def test_a_catalogue_that_is_closed_is_no_fault(open_client, faults, faulty):
    faults.add(fault.answer(403, fault.error_body("DENIED")), "GET", "_catalog")

    found = await findings(open_client(faulty.host).registry)

    assert found["catalogue"].good is None


async def test_a_registry_whose_heads_say_nothing_is_found(open_client, faults, faulty):
    store_image(faulty.storage, "team/app", "v1")
    faults.add(fault.set_header("Docker-Content-Digest", None), "HEAD")

    found = await findings(open_client(faulty.host).registry, "team/app")

    assert found["digests"].good is False


async def test_a_path_that_is_none_is_refused(open_client, faulty):
    with pytest.raises(InvalidReference):
        await findings(open_client(faulty.host).registry, "NO/such")


async def test_the_ways_of_uploading_are_tried_when_writing_is_allowed(
    open_client, distribution3, repository_path
):
    registry = open_client(distribution3.host).registry
    await push_image(registry.repository(repository_path), tag=Tag("a"))
    await push_image(registry.repository(repository_path), tag=Tag("b"), seed="b")

    found = await findings(registry, repository_path, writes=True)

    # It ignores the digest of a POST, as its successors do.
    assert found["ways of uploading"].text == (
        "not in a single request, without a length, in chunks, resumed"
    )
    assert facts_of(found.values()) == Facts(
        kind="generic",
        auth="",
        catalogue=True,
        digest_header=True,
        trusts_head=True,
        conditional=True,
        paged=True,
        referrers_api=False,
        self_mount=True,
        single_request=False,
        streamed=True,
        chunked=True,
        resumed=True,
        upload="put",
    )


async def test_a_registry_that_lists_everything_at_once_is_found_to(
    open_client, distribution2, repository_path
):
    registry = open_client(distribution2.host).registry
    for tag in ("a", "b"):
        await push_image(registry.repository(repository_path), tag=Tag(tag), seed=tag)

    found = await findings(registry, repository_path)

    assert found["pages"].facts == {"paged": False}


async def test_harbor_and_quay_are_recognised_and_looked_at(open_client):
    login = Credentials("team+sync", "secret")
    found = {}
    for fake in (
        FakeHarbor({login.username: login.password}, projects=("team",)),
        FakeQuay({login.username: login.password}, organisations=("team",)),
    ):
        store_image(fake.storage, "team/app", "v1")
        async with fake.registry:
            client = open_client(fake.registry.host, login=login)
            looked = await findings(client.registry, "team/app")
        assert all(each.good is not False for each in looked.values())
        found[looked["kind"].text] = {subject: each.text for subject, each in looked.items()}

    assert set(found) == {"harbor", "quay"}
    assert found["harbor"]["deletion"] == found["quay"]["deletion"] == "of a tag alone"
    assert found["quay"]["conditional requests"] == "not honoured"


async def test_amazons_habits_are_found(open_client):
    ecr = FakeEcr(clock=lambda: 1000.0)
    async with ecr.registry, ecr.site, ecr.s3:
        client = open_client(ecr.host, login=ecr.login(), **ecr.settings())
        ecr.repositories.created.add("team/app")

        found = await findings(client.registry, "team/app", writes=True)

    assert found["kind"].text == "ecr"
    assert found["login"].text == "accepted; works with a password"
    # Parts under 5 MiB are refused.
    assert found["ways of uploading"].facts["chunked"] is False
    assert found["ways of uploading"].facts["streamed"] is True


async def test_a_right_that_is_missing_is_named(open_client):
    quay = FakeQuay({"org+robot": "secret"})
    async with quay.registry:
        store_image(quay.storage, "org/app", "v1")
        login = Credentials("org+robot", "secret")
        client = open_client(quay.registry.host, login=login, kind="quay")

        reading = await findings(client.registry, "org/app")
        writing = await findings(client.registry, "org/new", writes=True)

    assert reading["rights"].text == "to read"
    assert writing["rights"].text == "the login lacks the right to pull and push"
    assert quay.tokens.created == set()


def test_what_was_found_is_used_where_the_profile_leaves_it_open():
    knowledge = Knowledge(profile_for("registry.example.com"))

    apply(
        Facts(
            self_mount=True, trusts_head=True, referrers_api=False, upload="patch", chunked=False
        ),
        knowledge,
    )

    assert (knowledge.self_mount, knowledge.trusts_head) == (True, True)
    assert knowledge.referrers_api is False
    assert knowledge.way == Way(Shape.PATCH)
    assert not knowledge.profile.takes_chunks
    assert not knowledge.profile.resumes_uploads


def test_what_was_found_does_not_overrule_a_profile():
    knowledge = Knowledge(profile_for("ghcr.io"))

    apply(Facts(kind="quay", referrers_api=True, upload="patch", chunked=True), knowledge)

    assert knowledge.profile == profile_for("ghcr.io")
    assert knowledge.referrers_api is False
    assert knowledge.way == Way(Shape.PUT)


def test_a_kind_that_was_recognised_is_known_from_the_first_request():
    knowledge = Knowledge(profile_for("registry.example.com"))

    apply(Facts(kind="harbor"), knowledge)

    assert knowledge.profile.kind == "harbor"


def test_facts_of_another_version_are_read_as_far_as_they_are_understood():
    facts = Facts.from_json({"kind": "zot", "colour": "blue", "paged": True})

    assert facts == Facts("zot", paged=True)
    assert Facts.from_json(facts.to_json()) == facts
