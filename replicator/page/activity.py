"""The screen of who changed what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from replicator.errors import InvalidRequest
from replicator.page.site import LIMIT, Site, asked
from replicator.page.visitor import visitor_of

_KINDS: Final = ("rule", "run", "registry", "credential", "token", "session")


class ActivityScreen:
    """Shows the audit, newest first, to those who see everything."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        who, cursor = visitor_of(request).identity, asked(request, "cursor")
        filters = {name: asked(request, name) for name in ("kind", "name", "actor")}
        if filters["kind"] not in (None, *_KINDS):
            raise InvalidRequest(f"kind has to be one of {', '.join(_KINDS)}", field="kind")
        page = await self._site.office.audit.page(who, cursor=cursor, limit=LIMIT, **filters)
        return self._site.pages.page(
            request,
            "activity.html",
            records=[(each, differences(each.change.old, each.change.new)) for each in page.items],
            next=page.next,
            cursor=cursor,
            filters=filters,
            kinds=_KINDS,
        )


def differences(
    old: Mapping[str, Any] | None, new: Mapping[str, Any] | None
) -> list[tuple[str, str | None, str | None]]:
    """Return what is not the same before and after, by name; None for what was not there."""
    before, after = old or {}, new or {}
    return [
        (name, _written(before, name), _written(after, name))
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    ]


def _written(values: Mapping[str, Any], name: str) -> str | None:
    return json.dumps(values[name], ensure_ascii=False) if name in values else None
