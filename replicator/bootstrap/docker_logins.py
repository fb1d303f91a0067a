"""Logins where Docker keeps them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replicator.registry.settings import Credentials


async def keep_login(name: str, credentials: Credentials) -> None:
    """Keep a login where Docker keeps it. Raises ConfigError."""
    from replicator.registry.docker_config import store_login

    await store_login(docker_config_file(os.environ), name, credentials)


async def forget_login(name: str) -> bool:
    """Forget a login where Docker keeps it; False if there was none. Raises ConfigError."""
    from replicator.registry.docker_config import erase_login

    return await erase_login(docker_config_file(os.environ), name)


def docker_config_file(environment: Mapping[str, str]) -> Path:
    """Return where Docker keeps its logins."""
    folder = environment.get("DOCKER_CONFIG")
    if folder:
        return Path(folder) / "config.json"
    # Not Path.home(): a container may run as a user who has no home.
    return Path(environment.get("HOME", "/")) / ".docker" / "config.json"
