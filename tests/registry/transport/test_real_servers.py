"""The transport against registries as they are."""

from __future__ import annotations

import hashlib
import os

import httpx
import pytest

from replicator.registry.settings import Tls
from replicator.registry.transport import Http1Transport, make_ssl_context
from tests.registry.transport.requests import fetch, pieces_of, send

MIB = 1024 * 1024


async def push(transport: httpx.AsyncBaseTransport, url: str, content: bytes) -> str:
    """Push a blob in one streamed PUT and return its digest."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    opened = await send(transport, "POST", f"{url}/blobs/uploads/")
    assert opened.status_code == 202
    location = httpx.URL(url).join(opened.headers["location"])
    view = memoryview(content)
    stored = await send(
        transport,
        "PUT",
        str(location.copy_add_param("digest", digest)),
        content=pieces_of(view[at : at + MIB] for at in range(0, len(content), MIB)),
        headers={"Content-Length": str(len(content)), "Content-Type": "application/octet-stream"},
    )
    assert stored.status_code == 201
    return digest


async def test_a_blob_comes_back_as_it_went(ours, server, repository_path):
    url = f"{server.address.url}/v2/{repository_path}"
    content = os.urandom(8 * MIB + 1)

    digest = await push(ours, url, content)

    assert await fetch(ours, f"{url}/blobs/{digest}") == content


async def test_a_blob_comes_back_as_it_went_over_tls(tls_registry, repository_path):
    url = f"{tls_registry.address.url}/v2/{repository_path}"
    content = os.urandom(8 * MIB + 1)
    context = make_ssl_context(Tls(ca_file=tls_registry.address.ca_file))

    async with Http1Transport(ssl_context=context) as transport:
        digest = await push(transport, url, content)

        assert await fetch(transport, f"{url}/blobs/{digest}") == content


@pytest.mark.parametrize("kind", ["distribution2", "distribution3"])
async def test_an_upload_that_the_registry_does_not_know_is_refused_before_it_is_sent(
    ours, kind, repository_path, request
):
    async def pieces():
        for _ in range(64):
            asked.append(MIB)
            yield bytes(MIB)

    asked: list[int] = []
    server = request.getfixturevalue(kind)
    unknown = f"{server.address.url}/v2/{repository_path}/blobs/uploads/5e55-10f"
    response = await send(
        ours,
        "PUT",
        f"{unknown}?digest=sha256:{'0' * 64}",
        content=pieces(),
        headers={"Content-Length": str(64 * MIB)},
    )
    await response.aclose()

    assert response.status_code in (400, 404)
    assert len(asked) < 64


async def test_a_hundred_questions_in_a_row_are_answered(ours, server, repository_path):
    url = f"{server.address.url}/v2/{repository_path}"
    digest = await push(ours, url, b"small")
    for _ in range(100):
        response = await send(ours, "HEAD", f"{url}/blobs/{digest}")
        assert response.status_code == 200
        assert await response.aread() == b""
        assert response.headers["content-length"] == "5"
