"""Google: gcr.io, Artifact Registry (pkg.dev) and registry.k8s.io.

Their ``tags/list`` also says which digest each tag names, that of an index if it is one, and which
repositories are below this one. It is the registry's own API, with the registry's own tokens.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from replicator.events import RequestKind
from replicator.registry.calls import Call, pull
from replicator.registry.pagination import MAX_PAGE_SIZE
from replicator.registry.sending import Sender
from replicator.registry.tags import Tags
from replicator.registry.vendors.api import Page, linked_pages
from replicator.registry.vendors.vendor import Paths, Row, Rows

# What Google's own client asks for (go-containerregistry, pkg/v1/google).
_PAGE_SIZE: Final = 10_000
# Folders that are looked into at the same time.
_AT_ONCE: Final = 16


class Google:
    """Reads the manifest map of ``tags/list``: one request a repository, however many tags."""

    shows_all_tags: Final = True

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def tags(self, tags: Tags) -> Rows:
        async for page in self._pages(tags.name.path):
            named = dict(_named(page.member("manifest")))
            names = page.member("tags")
            if isinstance(names, list) and names:
                yield [
                    named.get(name, Row(name)) if isinstance(name, str) else Row(name)
                    for name in names
                ]

    async def repositories(self, under: str) -> Paths:
        """Walk down from *under*; what has tags is a repository, and may have others below it."""
        level = [under.rstrip("/")] if under else []
        while level:
            batch, level = level[:_AT_ONCE], level[_AT_ONCE:]
            found = await self._look_into(batch)
            repositories = [
                path for path, (has_tags, _) in zip(batch, found, strict=True) if has_tags
            ]
            if repositories:
                yield repositories
            level += [
                f"{path}/{child}"
                for path, (_, below) in zip(batch, found, strict=True)
                for child in below
            ]

    async def _look_into(self, paths: Sequence[str]) -> list[tuple[bool, list[str]]]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._look(path)) for path in paths]
        return [task.result() for task in tasks]

    async def _look(self, path: str) -> tuple[bool, list[str]]:
        """Say whether there are tags at *path*, and what is below it."""
        has_tags, below = False, dict[str, None]()
        async for page in self._pages(path):
            has_tags = has_tags or bool(page.member("tags"))
            children = page.member("child")
            if isinstance(children, list):
                below |= {child: None for child in children if isinstance(child, str)}
        return has_tags, list(below)

    def _pages(self, path: str) -> AsyncGenerator[Page, None]:
        """Yield what ``tags/list`` answers, page by page."""
        call = Call(
            RequestKind.TAGS,
            "GET",
            f"{path}/tags/list?n={_PAGE_SIZE}",
            f"{self._sender.registry}/{path}",
            "GET tags/list",
            scopes=(pull(path),),
            limit=MAX_PAGE_SIZE,
        )
        return linked_pages(self._sender, call)


def _named(manifests: Any) -> Iterator[tuple[str, Row]]:
    """Turn the map from digests to their tags around."""
    for digest, facts in manifests.items() if isinstance(manifests, dict) else ():
        tags = facts.get("tag") if isinstance(facts, dict) else None
        created = _moment(facts.get("timeCreatedMs")) if tags else None
        for tag in tags if isinstance(tags, list) else ():
            if isinstance(tag, str):
                yield tag, Row(tag, digest, created)


def _moment(milliseconds: Any) -> datetime | None:
    """Read a time; 0 is that of what has none, such as an index."""
    try:
        number = int(milliseconds)
        return datetime.fromtimestamp(number / 1000, UTC) if number > 0 else None
    except (ValueError, TypeError, OverflowError, OSError):
        return None
