"""Tables of a configuration file: every key is known, and each has its reader."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from replicator.config.values import Reader, kind_of, printable
from replicator.errors import ConfigError

Keys: TypeAlias = Mapping[str, Reader[Any]]

_BARE_KEY: Final = r"[A-Za-z0-9_-]+"


class Table:
    """A reader of tables; gives the values of the keys that are there, and no defaults.

    *example* is how such a table looks, for those who wrote something else.
    """

    def __init__(self, keys: Keys, *, example: str) -> None:
        self.keys = keys
        self._example = example

    def __call__(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            place = where.removesuffix(":")
            raise ConfigError(
                f"{place}: expected a table, got {kind_of(value)}; write {self._example}"
            )
        for key in value:
            if key not in self.keys:
                raise ConfigError(f"{within(where, key)}: unknown key{self._suggestion(key)}")
        return {key: self.keys[key](given, within(where, key)) for key, given in value.items()}

    def _suggestion(self, key: str) -> str:
        for name, reader in self.keys.items():
            if isinstance(reader, Table) and key in reader.keys:
                return f'; it belongs into "{name}"'
        near = difflib.get_close_matches(key, self.keys, n=1, cutoff=0.65)
        if near:
            return f'; did you mean "{near[0]}"?'
        return f"; known are {', '.join(self.keys)}"


def within(where: str, key: str) -> str:
    """Return the place of *key* in the table that stands *where*."""
    written = key if re.fullmatch(_BARE_KEY, key) else f'"{printable(key)}"'
    return f"{where} {written}" if where.endswith(":") else f"{where}.{written}"
