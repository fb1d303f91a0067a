"""Where the secret key of the service comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from replicator.config.model import Config
from replicator.errors import ConfigError
from replicator.service.access.secret_key import SecretKeys, read_keys

_VARIABLE: Final = "REPLICATOR_SECRET_KEY"


def read_secret_keys(config: Config, environment: Mapping[str, str]) -> SecretKeys | None:
    """Read the key from the environment, else from the file; None if neither names one.

    Raises ConfigError when it cannot be read, or is weak.
    """
    if _VARIABLE in environment:
        return read_keys(environment[_VARIABLE], f"${_VARIABLE}")
    file = config.service.secret_key_file
    if file is None:
        return None
    try:
        return read_keys(file.read_text("utf-8"), str(file))
    except OSError as error:
        raise ConfigError(f"{file}: the secret key cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: the secret key is not text") from None
