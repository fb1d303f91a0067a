"""Docker Trusted Registry, and Mirantis Secure Registry 2 and 3: ``/api/v0``, with Basic.

Its tags have a digest each, but nobody could make sure whether that is the index's or an image's,
so the registry is asked for them. (MSR 4 is Harbor.)
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final
from urllib.parse import quote, urlencode

from replicator import errors
from replicator.registry.pagination import MAX_PAGES
from replicator.registry.tags import Tags
from replicator.registry.vendors.api import Api
from replicator.registry.vendors.vendor import Paths, Rows, nothing

_PAGE_SIZE: Final = 100
_NEXT: Final = "x-next-page-start"


class Msr:
    """Lists repositories, 100 a page, and makes those that are missing."""

    shows_all_tags: Final = False

    def __init__(self, api: Api, host: str) -> None:
        self._api = api
        self._host = host

    def tags(self, tags: Tags) -> Rows:
        return nothing()

    async def repositories(self, under: str) -> Paths:
        """List the repositories of the namespace that *under* names, or all that we may see."""
        namespace = under.partition("/")[0]
        place = f"repositories/{quote(namespace, safe='')}" if namespace else "repositories"
        async for entries in self._pages(place, f"{self._host}/{namespace}".rstrip("/")):
            yield [f"{each.get('namespace')}/{each.get('name')}" for each in entries]

    async def create(self, path: str) -> bool:
        """Make a private repository; its namespace, an organisation or a user, has to be there."""
        namespace, _, name = path.partition("/")
        place, on = f"repositories/{quote(namespace, safe='')}", f"{self._host}/{path}"
        if await self._is_there(f"{place}/{quote(name, safe='')}", on):
            return False
        try:
            await self._api.post(place, {"name": name, "visibility": "private"}, on=on)
        except errors.Rejected:
            # Somebody else may have been quicker.
            if not await self._is_there(f"{place}/{quote(name, safe='')}", on):
                raise
        return True

    async def _is_there(self, place: str, on: str) -> bool:
        try:
            await self._api.get(place, on=on)
        except errors.NotFound:
            return False
        return True

    async def _pages(self, place: str, on: str) -> AsyncGenerator[list[dict[str, Any]], None]:
        query: dict[str, object] = {"pageSize": _PAGE_SIZE}
        for _ in range(MAX_PAGES):
            page = await self._api.get(f"{place}?{urlencode(query)}", on=on)
            yield page.entries("repositories")
            start = page.headers.get(_NEXT)
            if not start or start == query.get("pageStart"):
                return
            query["pageStart"] = start
