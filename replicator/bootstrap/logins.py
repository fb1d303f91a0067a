"""Where people sign in at the page, other than by a token."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from replicator.errors import ConfigError

if TYPE_CHECKING:
    from replicator.config import Config
    from replicator.oidc.login import OidcLogin


def oidc_login(config: Config, clock: Callable[[], datetime]) -> OidcLogin | None:
    """Build the sign-in at a provider; None if none is configured.

    Raises ConfigError where what it takes is not installed.
    """
    settings = config.service.oidc
    if settings is None:
        return None
    try:
        from replicator.oidc.login import OidcLogin
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"[service.oidc] needs {error.name}, which is not installed; "
            "`pip install '.[oidc]'` in a checkout of this project installs it"
        ) from None
    return OidcLogin(settings, os.environ, clock)
