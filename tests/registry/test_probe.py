"""What ``replicate registry check`` finds out."""

from __future__ import annotations

import pytest

from replicator.errors import InvalidReference
from replicator.registry.probe import probe
from replicator.registry.settings import Credentials
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
        "tags": "1 tag on the first page",
        "digests": "told by HEAD",
        "referrers": "by the API",
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
