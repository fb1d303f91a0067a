"""How long what a killed worker had stays where it is, and what of it is sent again."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest

from replicator.store import migrate
from tests.chaos.cluster import Cluster, running, wait_until
from tests.support.builders import push_large_image
from tests.support.command import CommandLine
from tests.support.plain_repository import PlainRepository
from tests.support.relay import Relay

pytestmark = pytest.mark.slow

_MIB = 1 << 20
_SIZE = 256 * _MIB
_ELSEWHERE = ("unshare", "--pid", "--fork", "--kill-child=SIGKILL")


@pytest.mark.parametrize("wrap", [(), _ELSEWHERE], ids=["same-machine", "another-machine"])
async def test_another_worker_goes_on_within_30_seconds_and_sends_the_rest_alone(
    tmp_path, own_postgres, distribution2, distribution3, repository_path, wrap
):
    """In a process namespace of its own, a worker is to others as if on another machine."""
    with PlainRepository(distribution2.address, repository_path) as source:
        await asyncio.to_thread(push_large_image, source, "1", size=_SIZE)
    url = own_postgres.url(own_postgres.create_database())
    await migrate.upgrade(url)
    async with Relay(distribution3.host).serving() as relay:
        write_rule(tmp_path, distribution2.host, relay.host, repository_path)
        # With the times of production.
        cluster = Cluster(
            tmp_path,
            url,
            roles=["worker"] * 3,
            arms={"timing": {}},
            wrap=wrap,
            ending=signal.SIGKILL,
        )
        waited = await asyncio.to_thread(kill_half_way, cluster, relay)

    again = (relay.sent - _SIZE) / _MIB
    print(f"\ngoes on after {waited:.1f} s, {again:.1f} MiB of {_SIZE // _MIB} sent again")
    assert waited <= 30
    # What was on its way, and where the registry's chunks end.
    assert again < 24


def write_rule(folder: Path, source: str, destination: str, path: str) -> None:
    (folder / "config.toml").write_text(f"""
[[rules]]
name = "large"
source = "{source}/{path}"
destinations = ["{destination}/{{repository}}"]
""")


def kill_half_way(cluster: Cluster, relay: Relay) -> float:
    """Kill the worker that copies; return the seconds until another goes on, when all is done."""
    variables = {"REPLICATOR_DATABASE": cluster.database}
    with running(cluster):
        asked = asyncio.run(CommandLine(cluster.folder, variables)("run", "--detach"))
        assert asked.code == 0, asked.err
        wait_until(lambda: relay.sent > _SIZE // 2, "half of the blob is sent")
        (first,) = (each for each in cluster.workers() if each.entries("run started"))
        cluster.signal(first, signal.SIGKILL)
        killed_at = time.monotonic()
        wait_until(
            lambda: any(each.entries("run started") for each in cluster.workers() if each != first),
            "another worker goes on",
        )
        waited = time.monotonic() - killed_at
        wait_until(
            lambda: any(each.entries("run ended") for each in cluster.workers()), "the run ends"
        )
        (ended,) = (e for each in cluster.workers() for e in each.entries("run ended"))
    assert ended["state"] == "succeeded"
    return waited
