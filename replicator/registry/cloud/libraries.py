"""Libraries that may not be there."""

from __future__ import annotations

import importlib
from typing import Any

from replicator.errors import ConfigError
from replicator.registry.settings import Cloud


def library(name: str, cloud: Cloud, registry: str) -> Any:
    """Return the module *name*. Raises ConfigError, with what installs it, if it is not there."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ConfigError(
            f"{registry}: a login from {cloud} needs its library; "
            f"`pip install '.[{cloud}]'` in a checkout of this project installs it"
        ) from None
