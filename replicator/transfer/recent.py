"""Recent: the values that were used last, as many as fit into a given size."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Keeps values of *most* bytes together, and forgets first what was not used for longest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._values: dict[K, tuple[V, int]] = {}

    def get(self, key: K) -> V | None:
        kept = self._values.pop(key, None)
        if kept is None:
            return None
        self._values[key] = kept
        return kept[0]

    def put(self, key: K, value: V, size: int) -> None:
        _, before = self._values.pop(key, (None, 0))
        self._values[key] = value, size
        self._size += size - before
        while self._size > self._most:
            _, forgotten = self._values.pop(next(iter(self._values)))
            self._size -= forgotten
