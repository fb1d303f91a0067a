"""Signing in with a token of the API, and out again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from replicator.errors import NotAuthenticated
from replicator.office import NO_KEY, TOKENS_TAKE_KEY
from replicator.page.cookie import SESSION, came_over_tls
from replicator.page.forms import Form, go_to, read_form
from replicator.page.gate import SIGN_IN, via
from replicator.page.site import Site
from replicator.page.visitor import Visitor
from replicator.service.access.identity import Identity
from replicator.store.actor import Actor, acting


class SignInScreen:
    """Begins and ends sessions."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        has_left = "left" in request.query_params
        return await sign_in_form(self._site, request, has_left=has_left)

    async def sign_in(self, request: Request) -> Response:
        """Begin a session of whom the token is of. The gate has seen that the form is ours."""
        form, office = await read_form(request), self._site.office
        back = inside(form.get("next", ""))
        try:
            who = await office.known_by(form.get("token", "").strip())
        except NotAuthenticated as error:
            return await sign_in_form(self._site, request, 401, back=back, error=str(error))
        answer = RedirectResponse(back, 303)
        secret = await open_session(self._site, request, who, token=who.subject)
        SESSION.set(answer, secret, secure=came_over_tls(request))
        return answer

    async def sign_out(self, request: Request, visitor: Visitor, form: Form) -> Response:
        """End the session, wherever else its secret may have gone."""
        if visitor.secret is not None:
            await self._site.office.sessions.close(visitor.secret)
        answer = go_to(f"{SIGN_IN}?left" if visitor.identity.via == "oidc" else SIGN_IN)
        SESSION.clear(answer)
        return answer


async def open_session(
    site: Site,
    request: Request,
    who: Identity,
    *,
    token: str | None,
    about: Mapping[str, Any] | None = None,
) -> str:
    """Begin a session as the doing of who signs in, and return what the browser is to hold."""
    with acting(Actor(who.subject, via(request))):
        return await site.office.sessions.open(who, token=token, about=about)


async def sign_in_form(
    site: Site,
    request: Request,
    status: int = 200,
    *,
    back: str = "",
    error: str = "",
    has_left: bool = False,
) -> Response:
    """Show the ways to sign in, and what was wrong with one."""
    office, login = site.office, site.office.login
    return site.pages.page(
        request,
        "sign_in.html",
        status,
        back=back or inside(request.query_params.get("next", "")),
        error=error,
        has_key=office.tokens is not None,
        # Above the form it is an error already, where a token was sent all the same.
        takes_key=TOKENS_TAKE_KEY,
        no_key=NO_KEY if not error and await office.lacks_key() else "",
        provider=None if login is None else login.settings.issuer.partition("://")[2],
        leaving=await login.leaving() if login is not None and has_left else "",
        has_left=has_left,
    )


def inside(path: str) -> str:
    """Return *path* if it leads to this page, and the first screen if it leads elsewhere."""
    is_inside = path.startswith("/") and path[1:2] not in ("/", "\\") and path.isprintable()
    return path if is_inside else "/"
