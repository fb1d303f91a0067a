"""Nexus: which of its repositories are proxies, by ``/service/rest/v1``.

A port that is a single repository's does not say which one, and mostly lacks this API as well.
"""

from __future__ import annotations

from replicator import errors
from replicator.registry.vendors.api import Api

_HOSTED = "hosted"


class Nexus:
    """Tells proxies, and groups, which may have some, from what was pushed to Nexus itself."""

    def __init__(self, api: Api, host: str) -> None:
        self._api = api
        self._host = host
        self._types: dict[str, str] = {}

    async def is_proxy(self, path: str) -> bool | None:
        """Say so by the repository that *path* begins with, or if all of them are alike."""
        if not self._types:
            try:
                await self._read()
            except errors.RegistryError:
                return None
        named = self._types.get(path.partition("/")[0])
        if named is not None:
            return named != _HOSTED
        return False if set(self._types.values()) == {_HOSTED} else None

    async def _read(self) -> None:
        page = await self._api.get("repositories", on=self._host)
        self._types = {
            str(each.get("name")): str(each.get("type")).lower()
            for each in page.entries("")
            if each.get("format") == "docker"
        }
