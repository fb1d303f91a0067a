"""People are told by a service as a process, over a channel of its configuration."""

from __future__ import annotations

import asyncio
import json

from tests.e2e.test_serve import Log
from tests.notify.receivers import http_receiver
from tests.support.embedded import store_image
from tests.support.faults import Faults, answer

_PATIENCE = 60.0


async def until(condition):
    async with asyncio.timeout(_PATIENCE):
        while not condition():  # noqa: ASYNC110 - another process has to do something
            await asyncio.sleep(0.05)


async def test_a_rule_that_fails_and_is_well_again_is_told(replicate, start_registry):
    faults = Faults()
    source, destination = await start_registry(wrap=faults), await start_registry()
    store_image(source.storage, "team/app", "1.0")
    faults.add(answer(403), "GET", "/tags/list")
    async with http_receiver() as receiver:
        replicate.write_config(f"""
[[notify]]
name = "ops"
kind = "webhook"
url = "{receiver.url}"
[[rules]]
name = "app"
source = "{source.host}/team/app"
destinations = ["{destination.host}/mirror/{{repository}}"]
schedule = "every 1s"
""")
        async with replicate.started("serve", "--listen", "127.0.0.1:0") as process:
            log = Log(process)
            await log.until("run ended", state="failed")
            await until(lambda: receiver.received)
            faults.clear()
            await log.until("run ended", state="succeeded")
            await until(lambda: len(receiver.received) > 1)

    told = [json.loads(each.body)["notices"] for each in receiver.received]
    assert [[notice["occasion"] for notice in notices] for notices in told] == [
        ["failure"],
        ["recovery"],
    ]
