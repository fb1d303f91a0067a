"""What every command begins with: the configuration, and an event loop."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from replicator.config import Config


def read_config(file: Path | None, *, database: str | None = None) -> Config:
    """Read the configuration from *file* and the environment. Raises ConfigError."""
    from replicator.config import load_config

    return load_config(file, os.environ, database=database)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Make the event loop for whatever speaks to registries."""
    from replicator.registry.transport.loop import new_event_loop

    return new_event_loop()
