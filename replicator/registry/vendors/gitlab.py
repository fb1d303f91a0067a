"""GitLab: the repositories of a group or project by ``/api/v4``, on GitLab's main host.

Its tags have no digests but one by one, which a HEAD gives as well and for less.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final
from urllib.parse import quote

from replicator import errors
from replicator.registry.login import Login
from replicator.registry.tags import Tags
from replicator.registry.vendors.api import Api, Page
from replicator.registry.vendors.vendor import Paths, Rows, nothing

_PAGE_SIZE: Final = 100
# A path is of a group or of a project, and the API does not tell which without being asked.
_PLACES: Final = ("groups", "projects")


class GitLab:
    """Lists repositories, 100 a page; the catalogue is for administrators alone."""

    shows_all_tags: Final = False

    def __init__(self, api: Api, login: Login, host: str) -> None:
        self._api = api
        self._login = login
        self._host = host

    def tags(self, tags: Tags) -> Rows:
        return nothing()

    async def repositories(self, under: str) -> Paths:
        path = under.rstrip("/")
        if not path or await self._login.credentials() is None:
            return
        for places in _PLACES:
            try:
                async for page in self._pages(f"{places}/{quote(path, safe='')}", path):
                    yield [each.get("path") for each in page.entries("")]
                return
            except errors.NotFound:
                if places == _PLACES[-1]:
                    raise

    def _pages(self, place: str, path: str) -> AsyncGenerator[Page, None]:
        return self._api.pages(
            lambda number: f"{place}/registry/repositories?per_page={_PAGE_SIZE}&page={number}",
            on=f"{self._host}/{path}",
            goes_on=lambda page: page.has_next,
        )
