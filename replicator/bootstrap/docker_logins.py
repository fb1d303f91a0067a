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


def login_files(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where logins are looked for: in Docker's file, then in that of podman and skopeo."""
    if named := environment.get("REGISTRY_AUTH_FILE"):
        return docker_config_file(environment), Path(named)
    home = Path(environment.get("HOME", "/"))
    folders = [
        environment.get("XDG_RUNTIME_DIR"),  # it is gone after a restart
        environment.get("XDG_CONFIG_HOME") or home / ".config",
    ]
    podmans = (Path(each) / "containers" / "auth.json" for each in folders if each)
    return docker_config_file(environment), *podmans
