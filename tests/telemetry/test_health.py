"""Health: each part is asked, and one that fails or hangs hides no other."""

from __future__ import annotations

import asyncio

from replicator.errors import StoreError
from replicator.telemetry import health
from replicator.telemetry.health import Health


async def test_every_part_is_asked_and_its_trouble_is_told(monkeypatch):
    monkeypatch.setattr(health, "_PATIENCE", 0.0)

    async def well():
        return ""

    async def ill():
        return "stopping"

    async def away():
        raise StoreError("no connection")

    async def stuck():
        await asyncio.Event().wait()
        return ""

    troubles = await Health({"a": well, "b": ill, "c": away, "d": stuck}).troubles()

    assert troubles == {
        "a": "",
        "b": "stopping",
        "c": "no connection",
        "d": "no answer within 0 seconds",
    }
