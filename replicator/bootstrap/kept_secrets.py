"""The secret key, and what it guards in the database: tokens and credentials."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from replicator.bootstrap.clock import now
from replicator.bootstrap.databases import open_database
from replicator.errors import ConfigError

if TYPE_CHECKING:
    from replicator.config import Config
    from replicator.service.access.credentials import CredentialDesk
    from replicator.service.access.secret_key import SecretKeys
    from replicator.service.access.tokens import TokenDesk


@asynccontextmanager
async def open_tokens(config: Config) -> AsyncIterator[TokenDesk]:
    """Open the tokens of the API; an embedded database is made on the spot.

    Raises ConfigError without a secret key.
    """
    from replicator.service.access.tokens import TokenDesk
    from replicator.store.tokens import Tokens

    keys = _require_secret_keys(config, "tokens")
    async with open_database(config) as database:
        yield TokenDesk(Tokens(database), keys, now)


@asynccontextmanager
async def open_credentials(config: Config) -> AsyncIterator[CredentialDesk]:
    """Open the credentials that the database keeps; an embedded one is made on the spot.

    Raises ConfigError without a secret key.
    """
    from replicator.service.access.credentials import CredentialDesk
    from replicator.store.credentials import Credentials

    keys = _require_secret_keys(config, "kept credentials")
    async with open_database(config) as database:
        yield CredentialDesk(Credentials(database), keys, now)


def secret_keys(config: Config) -> SecretKeys | None:
    """Read the secret key, and older ones; None if there is none. Raises ConfigError."""
    from replicator.config.secret_key import read_secret_keys

    return read_secret_keys(config, os.environ)


def _require_secret_keys(config: Config, purpose: str) -> SecretKeys:
    """Read the secret key. Raises ConfigError, with the way to one, if there is none."""
    from replicator.service.access.secret_key import HOW_TO_MAKE

    keys = secret_keys(config)
    if keys is None:
        raise ConfigError(
            f"{purpose} need a secret key, and there is none; set secret_key_file below [service], "
            f"or $REPLICATOR_SECRET_KEY; {HOW_TO_MAKE}"
        )
    return keys
