"""What a worker in another process copies moves on the page as well, in a real browser."""

from __future__ import annotations

import re

import pytest

from tests.e2e.test_progress import HALF, gate, slow
from tests.e2e.test_roles import armed, on_server
from tests.e2e.test_serve import config, serving
from tests.page.test_browser import value_of, window
from tests.support.command import CommandLine
from tests.support.embedded import start_registry

__all__ = ["gate", "on_server", "slow", "start_registry"]


@pytest.fixture
def replicate(tmp_path):
    return CommandLine(tmp_path)


async def test_bars_move_and_go_while_another_process_copies(on_server, slow, gate):
    on_server.write_config(config(*slow))
    async with (
        armed(on_server, "worker"),
        serving(on_server, "--role", "api") as api,
        window(api.url) as page,
    ):
        asked = await on_server("run", "--detach")
        await page.goto(f"/runs/{asked.out.split()[-1]}", wait_until="domcontentloaded")
        await gate.reached.wait()
        image = await value_of(page.locator("#bar-1"), above=HALF / 2)
        blob = await value_of(page.locator(".blob progress").first, above=HALF / 2)
        moved = page.locator(".figures div", has_text="Moved")
        await moved.filter(has_text=re.compile(r"2\.\d MiB")).wait_for()
        running = await page.locator("#run").inner_text()
        gate.set()
        await page.locator("#progress .is-succeeded").wait_for()
        left = await page.locator(".image").count()

    assert HALF / 2 < blob <= image
    assert "mirror/team/app:1.0" in running
    assert left == 0
