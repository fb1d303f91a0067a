"""The header fields of an answer, quick to look up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import httpx


class AnswerHeaders(httpx.Headers):
    """The same as httpx's, for fields as they come from the parser.

    httpx makes out an encoding that fits all fields and looks each name up by an exception. Half
    a dozen look-ups, most of them for fields that are not there, then cost as much as to receive
    an answer.
    """

    def __init__(self, fields: Iterable[tuple[bytes, bytes]]) -> None:
        super().__init__()
        self._list = [(name, name.lower(), value) for name, value in fields]
        self._values: dict[bytes, list[bytes]] = {}
        for _, name, value in self._list:
            self._values.setdefault(name, []).append(value)

    def get(self, key: str, default: Any = None) -> Any:
        found = self._values.get(key.lower().encode())
        if found is None:
            return default
        if len(found) == 1 and found[0].isascii():
            return found[0].decode("ascii")
        return super().get(key, default)

    def __contains__(self, key: Any) -> bool:
        return key.lower().encode() in self._values
