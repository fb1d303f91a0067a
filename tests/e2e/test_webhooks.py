"""Notices of registries, sent by a real one, and what comes of them."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from urllib.error import HTTPError

import pytest

from tests.e2e.test_serve import Log
from tests.support.builders import push_image
from tests.support.embedded import store_image
from tests.support.plain_repository import PlainRepository
from tests.support.processes import free_port
from tests.support.servers import distribution

SECRET = "a secret of a good length"


def config(source: str, destination: str, secret_file) -> str:
    return f"""
[registries."{source}"]
plain_http = true
webhook_secret_file = "{secret_file}"
[[rules]]
name = "all"
source = "{source}/team/**"
destinations = ["{destination}/mirror/{{repository}}"]
"""


@pytest.fixture
def secret_file(tmp_path):
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    return file


async def send(url: str, notice: object, **headers: str) -> tuple[int, dict]:
    body = notice if isinstance(notice, bytes) else json.dumps(notice).encode()

    def ask():
        request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310
        try:
            with urllib.request.urlopen(request) as answered:  # noqa: S310 - our own server
                return answered.status, json.load(answered)
        except HTTPError as refused:
            with refused:
                return refused.code, json.load(refused)

    return await asyncio.to_thread(ask)


@pytest.mark.parametrize("version", [2, 3])
async def test_what_is_pushed_to_a_registry_arrives_without_a_schedule(
    version, replicate, start_registry, secret_file
):
    destination, port = await start_registry(), free_port()
    # The host of the source is known when it runs, and it is told of the service before that.
    url = f"http://127.0.0.1:{port}/webhooks/source.test/{SECRET.replace(' ', '%20')}"
    with distribution(version, notices=(url, "none")) as source:
        replicate.write_config(
            config("source.test", destination.host, secret_file).replace(
                "plain_http = true", f'endpoint = "{source.address.url}"'
            )
        )
        async with replicate.started("serve", "--listen", f"127.0.0.1:{port}") as process:
            log = Log(process)
            await log.until("serving")
            with PlainRepository(source.address, "team/app") as repository:
                await asyncio.to_thread(push_image, repository, "1.0")
            told = await log.until("a registry told of changes", rule="all")
            await log.until("run ended", run=told["run"], state="succeeded")

    assert told["only"] == ["source.test/team/app"]
    assert destination.storage.tags("mirror/team/app") == ["1.0"]


async def test_a_notice_that_shows_no_right_secret_changes_nothing(
    replicate, start_registry, secret_file
):
    source, destination = await start_registry(), await start_registry()
    store_image(source.storage, "team/app", "1.0")
    replicate.write_config(config(source.host, destination.host, secret_file))
    notice = {"docker_url": "x", "repository": "team/app", "updated_tags": ["1.0"]}

    async with replicate.started("serve", "--listen", "127.0.0.1:0") as process:
        entry = await Log(process).until("serving")
        hooks = f"http://{entry['on']}/webhooks"
        wrong = await send(f"{hooks}/{source.host}", notice, Authorization="Bearer wrong")
        none = await send(f"{hooks}/{source.host}", notice)
        unknown = await send(f"{hooks}/elsewhere.test", notice, Authorization=SECRET)
        right = await send(f"{hooks}/{source.host}", notice, Authorization=SECRET)
        other = await send(
            f"{hooks}/{source.host}", {**notice, "repository": "other/app"}, Authorization=SECRET
        )
        nonsense = await send(f"{hooks}/{source.host}", {"hello": 1}, Authorization=SECRET)
        large = await send(f"{hooks}/{source.host}", b" " * 1_100_000, Authorization=SECRET)

    assert wrong == none == unknown
    assert [each[0] for each in (wrong, right, other, nonsense, large)] == [404, 202, 202, 422, 413]
    assert (right[1], other[1]) == ({"marked": 1}, {"marked": 0})
    codes = [each[1]["code"] for each in (wrong, nonsense, large)]
    assert codes == ["not_found", "invalid_value", "body_too_large"]


async def test_a_secret_that_is_too_short_is_said_in_the_log_and_opens_nothing(
    replicate, start_registry, secret_file
):
    secret_file.write_text("short")
    source = await start_registry()
    replicate.write_config(config(source.host, source.host, secret_file))

    async with replicate.started("serve", "--listen", "127.0.0.1:0") as process:
        log = Log(process)
        entry = await log.until("serving")
        url = f"http://{entry['on']}/webhooks/{source.host}"
        status, _ = await send(url, {}, Authorization="short")
        said = await log.until("notice not taken")

    assert status == 503
    assert "16 characters or more" in said["error"]
