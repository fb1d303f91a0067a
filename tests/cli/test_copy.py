"""``replicate copy``: what it prints, reports and exits with."""

from __future__ import annotations

import asyncio
import json

from tests.support.embedded import (
    AMD64,
    store_artifact,
    store_image,
    store_index,
)
from tests.support.faults import Faults, answer


async def test_a_copy_says_what_moved_and_a_second_one_that_nothing_had_to(
    replicate, start_registry
):
    source, destination = await start_registry(), await start_registry()
    image = store_image(source.storage, "team/app", "1.0")
    command = ("copy", f"{source.host}/team/app:1.0", f"{destination.host}/mirror/app:1.0")

    first, second = await replicate(*command), await replicate(*command)

    names = f"{source.host}/team/app:1.0 → {destination.host}/mirror/app:1.0  {image.digest}  "
    assert first.code == second.code == 0
    assert first.out.startswith(f"copied {names}(3 blobs moved, ")
    assert first.out.endswith("; 0 mounted; 0 skipped)\n")
    assert second.out == f"in step {names}(0 blobs sent; 0 mounted; 3 skipped)\n"
    assert destination.requests.count("PUT", "/blobs/uploads/") == 3


async def test_a_copy_whose_results_go_into_a_pipe_says_nothing_else(replicate, start_registry):
    source, destination = await start_registry(), await start_registry()
    store_image(source.storage, "app", "1")

    done = await replicate("copy", f"{source.host}/app:1", f"{destination.host}/app")

    assert done.err == ""


async def test_the_proxy_of_the_environment_is_asked_for_what_no_proxy_does_not_name(
    replicate, start_registry
):
    seen = []

    async def refuse(reader, writer):
        seen.append((await reader.readline()).decode().split()[:2])
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    destination = await start_registry()
    replicate.write_config('[registries."registry.invalid"]\nretries = 0\n')
    command = ("copy", "registry.invalid/app:1", f"{destination.host}/app")
    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        replicate.variables["HTTPS_PROXY"] = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        through = await replicate(*command)
        replicate.variables["NO_PROXY"] = "localhost,.invalid"
        directly = await replicate(*command)

    assert through.code == directly.code == 1
    assert seen == [["CONNECT", "registry.invalid:443"]]


async def test_without_a_tag_it_is_latest_on_both_sides(replicate, start_registry):
    source, destination = await start_registry(), await start_registry()
    image = store_image(source.storage, "app", "latest")

    done = await replicate("copy", f"{source.host}/app", f"{destination.host}/app")

    assert f"{source.host}/app:latest → {destination.host}/app:latest" in done.out
    assert destination.storage.resolve("app", "latest") == image.digest


async def test_one_read_feeds_several_destinations(replicate, start_registry):
    source, one, two = [await start_registry() for _ in range(3)]
    store_image(source.storage, "app", "1")

    done = await replicate("copy", f"{source.host}/app:1", f"{one.host}/app", f"{two.host}/app")

    assert done.code == 0
    assert len(done.out.splitlines()) == 2
    assert source.requests.count("GET", "/blobs/") == 3


async def test_when_one_of_two_destinations_fails_the_other_is_told_and_the_code_is_3(
    replicate, start_registry
):
    faults = Faults()
    source, good, bad = (
        await start_registry(),
        await start_registry(),
        await start_registry(wrap=faults),
    )
    faults.add(answer(403), "PUT", "/manifests/")
    store_image(source.storage, "app", "1")

    done = await replicate("copy", f"{source.host}/app:1", f"{good.host}/app", f"{bad.host}/app")

    assert done.code == 3
    assert f"→ {good.host}/app:1" in done.out
    assert f"→ {bad.host}/app:1: " in done.complaint


async def test_a_report_on_standard_output_stands_there_alone(replicate, start_registry):
    source, destination = await start_registry(), await start_registry()
    store_image(source.storage, "app", "1")

    done = await replicate(
        "copy", f"{source.host}/app:1", f"{destination.host}/app", "--report", "-"
    )

    (run,) = done.json["runs"]
    assert run["state"] == "succeeded"
    assert run["counts"]["copied"] == 1
    assert run["blobs"] == {"moved": 3, "mounted": 0, "skipped": 0}
    assert run["requests"][source.host]["blob_get"] == 3
    assert run["tags"] == []
    (copied,) = run["copied"]
    assert copied["source"] == f"{source.host}/app:1"
    assert (copied["destination"], copied["tag"]) == (f"{destination.host}/app", "1")
    assert copied["digest"] == str(destination.storage.resolve("app", "1"))


async def test_a_report_of_a_failure_says_whose_it_is(replicate, start_registry):
    source, destination = await start_registry(), await start_registry()

    done = await replicate(
        "copy", f"{source.host}/app:1", f"{destination.host}/app", "--report", "report.json"
    )

    (run,) = json.loads((replicate.folder / "report.json").read_text())["runs"]
    (failure,) = run["tags"]
    assert done.code == 1
    assert run["state"] == "failed"
    assert (failure["class"], failure["side"], failure["status"]) == ("not_found", "source", 404)
    assert failure["source"] == f"{source.host}/app:1"
    assert failure["destination"] == f"{destination.host}/app"


async def test_platforms_make_an_index_of_their_own(replicate, start_registry):
    source, destination = await start_registry(), await start_registry()
    index = store_index(source.storage, "app", "1")

    done = await replicate(
        "copy", f"{source.host}/app:1", f"{destination.host}/app", "--platform", str(AMD64)
    )

    digest = destination.storage.resolve("app", "1")
    assert done.code == 0
    assert digest is not None
    assert digest != index.digest
    assert str(digest) in done.out
    assert done.err == ""


async def test_an_image_of_another_platform_than_the_wanted_one_is_refused(
    replicate, start_registry
):
    source, destination = await start_registry(), await start_registry()
    store_image(source.storage, "app", "1", platform=AMD64)

    done = await replicate(
        "copy", f"{source.host}/app:1", f"{destination.host}/app", "--platform", "linux/arm64"
    )

    assert done.code == 1
    assert "no image for linux/arm64; there is: linux/amd64" in done.complaint
    assert destination.storage.resolve("app", "1") is None


async def test_an_image_of_the_wanted_platform_costs_no_request_more(replicate, start_registry):
    source, destination = await start_registry(), await start_registry()
    image = store_image(source.storage, "app", "1", platform=AMD64)

    done = await replicate(
        "copy", f"{source.host}/app:1", f"{destination.host}/app", "--platform", str(AMD64)
    )

    assert done.code == 0
    assert destination.storage.resolve("app", "1") == image.digest
    assert source.requests.count("GET", "/blobs/") == 3


async def test_what_refers_to_an_index_that_is_cut_down_is_told_to_be_left_behind(
    replicate, start_registry
):
    source, destination = await start_registry(), await start_registry()
    index = store_index(source.storage, "app", "1")
    store_artifact(source.storage, "app", subject=index)

    done = await replicate(
        *("copy", f"{source.host}/app:1", f"{destination.host}/app"),
        *("--platform", str(AMD64), "--report", "report.json"),
    )

    (run,) = json.loads((replicate.folder / "report.json").read_text())["runs"]
    (copied,) = run["copied"]
    assert done.code == 0
    assert "1 of the index's referrers left behind" in done.err
    assert "1 of the index's referrers left behind" in copied["reason"]
    assert copied["digest"] == str(destination.storage.resolve("app", "1"))


async def test_referrers_come_along_unless_they_are_not_wanted(replicate, start_registry):
    source, destination = await start_registry(), await start_registry()
    image = store_image(source.storage, "app", "1")
    referrer = store_artifact(source.storage, "app", subject=image)

    await replicate("copy", f"{source.host}/app:1", f"{destination.host}/all")
    await replicate("copy", f"{source.host}/app:1", f"{destination.host}/bare", "--no-referrers")

    assert destination.storage.referrers("all", image.digest) == [referrer.digest]
    assert destination.storage.referrers("bare", image.digest) == []


async def test_a_signature_that_came_later_is_told_to_be_added(replicate, start_registry):
    source, destination = await start_registry(), await start_registry()
    image = store_image(source.storage, "app", "1")
    command = ("copy", f"{source.host}/app:1", f"{destination.host}/app")
    await replicate(*command)
    store_artifact(source.storage, "app", subject=image)

    second, third = await replicate(*command), await replicate(*command)

    assert second.out.startswith("in step, 1 referrer added ")
    assert third.out.startswith("in step ")
    assert "added" not in third.out


async def test_the_settings_of_a_registry_come_from_a_configuration_if_there_is_one(
    replicate, start_registry
):
    registry = await start_registry()
    store_image(registry.storage, "app", "1")
    replicate.write_config(f'[registries."hub.example.com"]\nendpoint = "{registry.url}"\n')

    done = await replicate("copy", "hub.example.com/app:1", "oci:copy")

    assert done.code == 0
    assert done.out.startswith("copied hub.example.com/app:1 → oci:copy:1  ")


async def test_a_copy_makes_no_database(replicate, start_registry):
    registry = await start_registry()
    store_image(registry.storage, "app", "1")

    await replicate("copy", f"{registry.host}/app:1", "oci:copy")

    assert [file.name for file in replicate.folder.iterdir()] == ["copy"]


async def test_a_reference_by_digest_needs_a_tag_to_go_to(replicate, start_registry):
    registry = await start_registry()
    image = store_image(registry.storage, "app", "1")
    source = f"{registry.host}/app@{image.digest}"

    without, with_one = (
        await replicate("copy", source, "oci:copy"),
        await replicate("copy", source, "oci:copy:old"),
    )

    assert without.code == 2
    assert "needs a tag" in without.complaint
    assert with_one.out.startswith(f"copied {source} → oci:copy:old  {image.digest}")


async def test_a_password_that_is_not_there_ends_a_copy_before_it_begins(replicate, start_registry):
    source, destination = await start_registry(), await start_registry()
    replicate.write_config(f"""
[registries."{destination.host}"]
credential = {{ username = "me", password_env = "NOT_SET_ANYWHERE" }}
""")

    done = await replicate("copy", f"{source.host}/app:1", f"{destination.host}/app")

    assert done.code == 2
    assert done.complaint.endswith(
        f"{destination.host}: the environment variable NOT_SET_ANYWHERE is not set"
    )
    assert len(source.requests) == 0
