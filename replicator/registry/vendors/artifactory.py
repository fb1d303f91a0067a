"""Artifactory: the catalogue of each of its repositories, ``/artifactory/api/docker/KEY``.

What it calls a repository is the first part of our paths, its key. Its tags have no digests, so
the registry is asked for them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final
from urllib.parse import quote

from replicator import errors
from replicator.registry.pagination import MAX_PAGES
from replicator.registry.tags import Tags
from replicator.registry.vendors.api import Api
from replicator.registry.vendors.vendor import Paths, Rows, nothing

_PAGE_SIZE: Final = 100
# Types of repositories that hold what was pushed to them.
_OWN: Final = frozenset({"LOCAL", "FEDERATED"})


class Artifactory:
    """Lists the images below a key; without one, those below all keys that are for images."""

    shows_all_tags: Final = False

    def __init__(self, api: Api, host: str) -> None:
        self._api = api
        self._host = host
        self._types: dict[str, str] = {}

    def tags(self, tags: Tags) -> Rows:
        return nothing()

    async def repositories(self, under: str) -> Paths:
        key = under.partition("/")[0]
        for each in [key] if key else await self._keys():
            async for names in self._catalogue(each):
                yield [f"{each}/{name}" for name in names]

    async def is_proxy(self, path: str) -> bool | None:
        """Say whether a key is a remote repository, or a virtual one, which may have some."""
        key = path.partition("/")[0]
        if key not in self._types:
            try:
                await self._keys()
            except errors.RegistryError:
                return None
        return None if key not in self._types else self._types[key] not in _OWN

    async def _keys(self) -> list[str]:
        page = await self._api.get("repositories?packageType=docker", on=self._host)
        found = [each for each in page.entries("") if isinstance(each.get("key"), str)]
        self._types = {each["key"]: str(each.get("type")).upper() for each in found}
        return list(self._types)

    async def _catalogue(self, key: str) -> AsyncGenerator[list[Any], None]:
        """Yield the names of a key's images, without the key.

        Its links name a host and path of its own, so that the last name leads on.
        """
        place = f"docker/{quote(key, safe='')}/v2/_catalog?n={_PAGE_SIZE}"
        last: Any = None
        for _ in range(MAX_PAGES):
            follow = "" if last is None else f"&last={quote(last, safe='')}"
            page = await self._api.get(f"{place}{follow}", on=f"{self._host}/{key}")
            names = page.member("repositories")
            if not isinstance(names, list):
                return
            yield names
            if len(names) < _PAGE_SIZE or names[-1] == last or not isinstance(names[-1], str):
                return
            last = names[-1]
        raise errors.RegistryError(
            f"{self._host}/{key}: more than {MAX_PAGES} pages", registry=self._host
        )
