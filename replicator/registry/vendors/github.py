"""GitHub: the packages of api.github.com, an origin of its own that takes the same token.

A version's name is the digest of what its tags name, an index if it is one. Versions without a tag
are listed as well, so that a page may bring little.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final
from urllib.parse import quote

from replicator import errors
from replicator.registry.login import Login
from replicator.registry.tags import Tags
from replicator.registry.vendors.api import Api, Page
from replicator.registry.vendors.vendor import Paths, Row, Rows

_PAGE_SIZE: Final = 100
# An owner is the one or the other, and the API does not tell which without being asked.
_OWNERS: Final = ("orgs", "users")


class GitHub:
    """Lists the versions of a package and the packages of an owner, 100 a page.

    Even for public packages it wants a login; without one the registry is asked itself.
    """

    shows_all_tags: Final = True

    def __init__(self, api: Api, login: Login, host: str) -> None:
        self._api = api
        self._login = login
        self._host = host

    async def tags(self, tags: Tags) -> Rows:
        owner, _, name = tags.name.path.partition("/")
        place = f"{owner}/packages/container/{quote(name, safe='')}/versions?state=active"
        async for page in self._pages(place, on=str(tags.name)):
            yield [row for each in page.entries("") for row in _rows(each)]

    async def repositories(self, under: str) -> Paths:
        owner = under.partition("/")[0]
        if not owner:
            return  # Nobody lists everything there is.
        place = f"{owner}/packages?package_type=container"
        async for page in self._pages(place, on=f"{self._host}/{owner}"):
            yield [f"{owner}/{each.get('name')}".lower() for each in page.entries("")]

    async def _pages(self, place: str, *, on: str) -> AsyncGenerator[Page, None]:
        if await self._login.credentials() is None:
            return
        for owners in _OWNERS:
            try:
                async for page in self._pages_of(f"{owners}/{place}", on):
                    yield page
                return
            except errors.NotFound:
                if owners == _OWNERS[-1]:
                    raise

    def _pages_of(self, place: str, on: str) -> AsyncGenerator[Page, None]:
        return self._api.pages(
            lambda number: f"{place}&per_page={_PAGE_SIZE}&page={number}",
            on=on,
            goes_on=lambda page: page.has_next,
        )


def _rows(version: dict[str, Any]) -> list[Row]:
    metadata = version.get("metadata")
    container = metadata.get("container") if isinstance(metadata, dict) else None
    tags = container.get("tags") if isinstance(container, dict) else None
    return [Row(tag, version.get("name")) for tag in tags] if isinstance(tags, list) else []
