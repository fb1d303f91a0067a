"""The secrets that notices of registries have to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from replicator.config.model import Config
from replicator.errors import ConfigError

# Characters; less can be guessed by somebody who may ask often.
_SHORTEST: Final = 16


def webhook_secrets(config: Config, registry: str, environment: Mapping[str, str]) -> Sequence[str]:
    """Return the secrets of a registry, each of which will do; none if it may send no notices.

    They are read anew each time, so that a secret can be changed: the old one stays on a second
    line of the file until the registry has the new one. Raises ConfigError.
    """
    entry = config.registries.get(registry)
    if entry is None:
        return ()
    where = f'registries."{registry}"'
    if entry.webhook_secret_env:
        secrets = [environment.get(entry.webhook_secret_env, "")]
        where += f".webhook_secret_env: {entry.webhook_secret_env}"
    elif entry.webhook_secret_file is not None:
        where += f".webhook_secret_file: {entry.webhook_secret_file}"
        try:
            lines = map(str.strip, entry.webhook_secret_file.read_text().splitlines())
            secrets = [line for line in lines if line]
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{where} cannot be read: {error}") from error
    else:
        return ()
    if not secrets or min(map(len, secrets)) < _SHORTEST:
        raise ConfigError(f"{where} has to hold a secret of {_SHORTEST} characters or more")
    return secrets
