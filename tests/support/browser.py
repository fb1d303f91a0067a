"""Debian's Chromium, driven by Playwright; no test passes because there is none."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, async_playwright

AXE = Path(__file__).parents[2] / ".tools" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
# It asks nothing of anybody by itself, and runs as root and without a display.
_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Start the browser; fails where `make tools` has installed none."""
    path = shutil.which("chromium")
    assert path, "there is no chromium; `make tools` installs it"
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=path, args=list(_OPTIONS))
        try:
            yield started
        finally:
            await started.close()
