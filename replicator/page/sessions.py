"""The screen of sessions: who is signed in at the page now."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from replicator.page.forms import Form, go_to
from replicator.page.site import LIMIT, Site, asked
from replicator.page.visitor import Visitor, visitor_of
from replicator.service.access.identity import Role

PATH: Final = "/access/sessions"


class SessionScreen:
    """Shows the sessions that count, and ends them; for admins of everything."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        cursor, who = asked(request, "cursor"), visitor_of(request).identity
        page = await self._site.office.access.sessions(who, cursor=cursor, limit=LIMIT)
        return self._site.pages.page(
            request, "sessions.html", sessions=page.items, next=page.next, cursor=cursor
        )

    async def end(self, request: Request, visitor: Visitor, form: Form) -> Response:
        """End a session; whoever it is of can sign in anew, as far as they still may."""
        visitor.identity.require_unlimited(Role.ADMIN)
        await self._site.office.sessions.end(str(request.path_params["session"]))
        return go_to(PATH)
