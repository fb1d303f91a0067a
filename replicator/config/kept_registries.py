"""Registries that the database keeps: said in the words of the file, but with fewer of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from replicator.config.model import Config, RegistryEntry
from replicator.config.registries import read_entry
from replicator.errors import ConfigError

# Nothing here is about files: whoever may write to the database need not be one who may read them.
_NOWHERE: Final = Path("/")


def read_kept(name: str, settings: Mapping[str, Any]) -> RegistryEntry:
    """Read an entry. Raises ConfigError.

    Whoever may ask the API is not to have the service read files or variables of its machine, or
    borrow its identity in a cloud, and send that to a registry of his own; so none of them can be
    named, and secrets are kept apart.
    """
    where = f'registries."{name}"'
    _refuse_places(settings, where)
    credential = settings.get("credential")
    if isinstance(credential, Mapping):
        for key in credential.keys() - {"stored"}:
            raise ConfigError(
                f"{where}.credential.{key}: an entry of the database uses what `replicate "
                f'credential set` keeps, by credential = {{ stored = "NAME" }}'
            )
    if "@" in str(settings.get("proxy", "")):
        raise ConfigError(f"{where}.proxy: a password of a proxy belongs into a file")
    return read_entry(name, dict(settings), where, _NOWHERE)


def with_kept(config: Config, kept: Mapping[str, Mapping[str, Any]]) -> Config:
    """Return *config* with the entries that are *kept*; one of the file stands in for another."""
    if not kept:
        return config
    entries = {name: read_kept(name, settings) for name, settings in kept.items()}
    return replace(config, registries={**entries, **config.registries})


def _refuse_places(settings: Mapping[str, Any], where: str) -> None:
    for key in settings:
        if key.endswith(("_file", "_env")):
            raise ConfigError(
                f"{where}.{key}: files and variables can be named in a configuration file alone"
            )
