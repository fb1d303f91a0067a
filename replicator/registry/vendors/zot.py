"""zot: the search extension, a GraphQL API beside the registry's and with the same login.

An image has the digest of what its tag names, an index if it is one. Builds without the extension
exist, and the registry says itself which it has.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final
from urllib.parse import quote

from replicator import errors
from replicator.events import RequestKind
from replicator.registry.answers import json_object
from replicator.registry.calls import Call
from replicator.registry.pagination import MAX_NAMES, MAX_PAGE_SIZE
from replicator.registry.sending import Sender
from replicator.registry.tags import Tags
from replicator.registry.vendors.vendor import Paths, Row, Rows, nothing

_SEARCH: Final = "/v2/_zot/ext/search"
# Extensions of the distribution API, as they are announced. (distribution-spec, "Extensions")
_DISCOVER: Final = "_oci/ext/discover"
_PAGE_SIZE: Final = 1000


class Zot:
    """Lists the digests of a repository's tags, 1,000 a request.

    The search knows nothing of tags of signatures, so the names are those of ``tags/list``: one
    more request for each 1,000, and what the search does not know is asked for by itself.
    """

    shows_all_tags: Final = True

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._has_search: bool | None = None

    async def tags(self, tags: Tags) -> Rows:
        """List the tags with their digests; nothing where there is no search."""
        if not await self._can_search():
            return
        digests: dict[Any, Any] = {}
        async for images in self._images(tags.name.path):
            digests.update((each.get("Tag"), each.get("Digest")) for each in images)
        if not digests:
            return
        async with aclosing(tags.list()) as listing:
            async for names in listing:
                yield [Row(name, digests.get(name)) for name in names]

    def repositories(self, under: str) -> Paths:
        return nothing()

    async def _can_search(self) -> bool:
        if self._has_search is None:
            call = self._call(_DISCOVER, self._sender.registry)
            try:
                answer = json_object(await self._sender.send(call), self._sender.attempt(call))
            except (errors.NotFound, errors.Rejected, errors.NotARegistry):
                answer = {}
            self._has_search = _SEARCH in json.dumps(answer)
        return self._has_search

    async def _images(self, path: str) -> AsyncGenerator[list[dict[str, Any]], None]:
        """Yield what is known of a repository's tags, page by page."""
        for offset in range(0, MAX_NAMES, _PAGE_SIZE):
            query = (
                f"{{ImageList(repo:{json.dumps(path)},requestedPage:"
                f"{{limit:{_PAGE_SIZE},offset:{offset},sortBy:ALPHABETIC_ASC}})"
                "{Results{Tag Digest}}}"
            )
            place = f"{_SEARCH.removeprefix('/v2/')}?query={quote(query, safe='')}"
            call = self._call(place, f"{self._sender.registry}/{path}")
            found = _results(json_object(await self._sender.send(call), self._sender.attempt(call)))
            if found:
                yield found
            if len(found) < _PAGE_SIZE:
                return

    def _call(self, place: str, on: str) -> Call:
        return Call(
            RequestKind.API,
            "GET",
            place,
            on,
            f"GET {place.partition('?')[0]}",
            limit=MAX_PAGE_SIZE,
        )


def _results(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the images of an answer; a mistake, such as an unknown repository, has none."""
    found: Any = answer
    for key in ("data", "ImageList", "Results"):
        found = found.get(key) if isinstance(found, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
