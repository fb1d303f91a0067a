"""What holds for all paths: names, methods, error bodies, and the log of requests."""

from __future__ import annotations

import pytest

from replicator.embedded.record import LoggedRequest
from tests.support.embedded import store_image


@pytest.mark.parametrize("path", ["/v2/", "/v2"])
async def test_ping_says_that_this_is_a_registry(http, path):
    answer = await http.get(path)

    assert answer.status_code == 200
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
    assert answer.json() == {}


@pytest.mark.parametrize("name", ["Team/app", "_a", "a..b", "a//b", "../a", "a/../../b", "a" * 256])
async def test_what_is_no_repository_is_refused(http, name):
    answer = await http.post(f"/v2/{name}/blobs/uploads/".replace("../", "%2e%2e/"))

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "NAME_INVALID")


@pytest.mark.parametrize("name", ["a", "a__b", "a--b", "a.b", "/".join("abcdefghijklmnop")])
async def test_names_may_be_what_the_specification_allows(storage, http, name):
    store_image(storage, name, "v1")

    assert (await http.get(f"/v2/{name}/manifests/v1")).status_code == 200


async def test_a_method_that_a_path_does_not_have_is_refused(http):
    answer = await http.post("/v2/team/app/manifests/v1")

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (405, "UNSUPPORTED")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "PUT", "DELETE"}


@pytest.mark.parametrize("path", ["/", "/v1/", "/v2/team/app", "/v2/team/app/other/x", "/token"])
async def test_other_paths_are_not_found(http, path):
    answer = await http.get(path)

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "NOT_FOUND")


async def test_the_log_has_each_request_with_its_query_and_status(registry, storage, http):
    store_image(storage, "team/app", "v1")

    await http.head("/v2/team/app/manifests/v1")
    await http.get("/v2/team/app/tags/list?n=1")
    await http.get("/v2/team/app/manifests/v2")

    assert list(registry.requests) == [
        LoggedRequest("HEAD", "/v2/team/app/manifests/v1", 200),
        LoggedRequest("GET", "/v2/team/app/tags/list?n=1", 200),
        LoggedRequest("GET", "/v2/team/app/manifests/v2", 404),
    ]


async def test_the_log_counts_by_method_target_and_status(registry, http):
    await http.get("/v2/")
    await http.head("/v2/team/app/manifests/v1")
    await http.get("/v2/team/app/manifests/v1")

    assert registry.requests.count() == len(registry.requests) == 3
    assert registry.requests.count("GET") == 2
    assert registry.requests.count("", "/manifests/") == 2
    assert registry.requests.count("GET", "/manifests/", status=404) == 1

    registry.requests.clear()
    assert registry.requests.count() == 0
