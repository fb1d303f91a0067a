"""Azure: ``/acr/v1``, beside the registry's API and with the same tokens.

A tag has the digest of what it names, an index if it is one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

import httpx

from replicator.events import RequestKind
from replicator.registry.calls import Call
from replicator.registry.pagination import MAX_PAGE_SIZE
from replicator.registry.scopes import Scope
from replicator.registry.sending import Sender
from replicator.registry.tags import Tags
from replicator.registry.vendors.api import Page, linked_pages
from replicator.registry.vendors.vendor import Paths, Row, Rows

_PAGE_SIZE: Final = 100
_CATALOGUE: Final = Scope("registry", "catalog", ("*",))


class Azure:
    """Lists the tags of a repository, 100 a page; repositories stand in the catalogue.

    A token that is mapped to scopes needs the action ``metadata_read`` for this.
    """

    shows_all_tags: Final = True

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def tags(self, tags: Tags) -> Rows:
        path = tags.name.path
        scope = Scope("repository", path, ("pull", "metadata_read"))
        async for page in self._pages(f"{path}/_tags", str(tags.name), scope):
            yield [Row(each.get("name"), each.get("digest")) for each in page.entries("tags")]

    async def repositories(self, under: str) -> Paths:
        async for page in self._pages("_catalog", self._sender.registry, _CATALOGUE):
            names = page.member("repositories")
            yield names if isinstance(names, list) else []

    async def _pages(self, place: str, on: str, scope: Scope) -> AsyncGenerator[Page, None]:
        await self._sender.settle_scheme()
        url = httpx.URL(f"{self._sender.gate.origin}/acr/v1/{place}?n={_PAGE_SIZE}")
        call = Call(
            RequestKind.API,
            "GET",
            url,
            on,
            f"GET acr/v1/{place}",
            scopes=(scope,),
            limit=MAX_PAGE_SIZE,
        )
        async for page in linked_pages(self._sender, call):
            yield page
