"""Signing in with a token of the API, and out again."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from replicator.errors import NotAuthenticated
from replicator.page.cookie import clear_cookie, set_cookie
from replicator.page.forms import Form, go_to, read_form
from replicator.page.gate import SIGN_IN
from replicator.page.site import Site
from replicator.page.visitor import Visitor
from replicator.store.actor import Actor, acting


class SignInScreen:
    """Begins and ends sessions."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        return self._form(request, _inside(request.query_params.get("next", "")))

    async def sign_in(self, request: Request) -> Response:
        """Begin a session of whom the token is of. The gate has seen that the form is ours."""
        form, office = await read_form(request), self._site.office
        back = _inside(form.get("next", ""))
        try:
            if office.tokens is None:
                raise NotAuthenticated("this service has no secret key, so it knows no tokens")
            who = await office.tokens.identify(form.get("token", "").strip())
        except NotAuthenticated as error:
            return self._form(request, back, str(error))
        client = f" from {request.client.host}" if request.client else ""
        with acting(Actor(who.subject, f"page{client}")):
            secret = await office.sessions.open(who, token=who.subject)
        answer = RedirectResponse(back, 303)
        set_cookie(request, answer, secret)
        return answer

    async def sign_out(self, request: Request, visitor: Visitor, form: Form) -> Response:
        """End the session, wherever else its secret may have gone."""
        if visitor.secret is not None:
            await self._site.office.sessions.close(visitor.secret)
        answer = go_to(SIGN_IN)
        clear_cookie(answer)
        return answer

    def _form(self, request: Request, back: str, error: str = "") -> Response:
        has_key = self._site.office.tokens is not None
        status = 401 if error else 200
        return self._site.pages.page(
            request, "sign_in.html", status, back=back, error=error, has_key=has_key
        )


def _inside(path: str) -> str:
    """Return *path* if it leads to this page, and the first screen if it leads elsewhere."""
    is_inside = path.startswith("/") and path[1:2] not in ("/", "\\") and path.isprintable()
    return path if is_inside else "/"
