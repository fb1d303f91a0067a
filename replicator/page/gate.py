"""Gate: what every request for the page has to pass, and what every answer says to browsers."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from replicator.api.v1.gate import Doorman
from replicator.errors import AccessDenied, NotAuthenticated, ReplicatorError
from replicator.oidc.settings import BEGIN, CALLBACK
from replicator.page.cookie import SESSION
from replicator.page.rendering import Pages
from replicator.page.visitor import Visitor
from replicator.service.access.page_sessions import SessionDesk
from replicator.store.actor import Actor, acting

SIGN_IN: Final = "/sign-in"
STATIC: Final = "/static/"
# Where nobody has to be signed in, as people do that there.
_OPEN: Final = frozenset({SIGN_IN, BEGIN, CALLBACK})
# Says that the page asked by itself, and not somebody who looks at it.
BACKGROUND: Final = "x-background"

_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    # With no-referrer, browsers would not say either of which origin a form is.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Gate:
    """Lets through who is signed in, or who asks a service that asks nobody to; to the others it
    shows where to sign in. What a request changes is written down as the doing of who asks.
    """

    def __init__(
        self, app: ASGIApp, *, doorman: Doorman, sessions: SessionDesk, pages: Pages
    ) -> None:
        self._app = app
        self._doorman = doorman
        self._sessions = sessions
        self._pages = pages
        # What the forms of those show who have no session.
        self._csrf = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope)
        answer = _with_headers(send, is_static=request.url.path.startswith(STATIC))
        try:
            visitor = await self._visitor(request)
        except ReplicatorError as error:
            await self._refusal(request, error)(scope, receive, answer)
            return
        request.state.visitor = visitor
        request.state.look_again = self._visitor
        identity = None if visitor is None else visitor.identity
        with acting(Actor(identity.subject if identity else "nobody", via(request))):
            await self._app(scope, receive, answer)

    async def _visitor(self, request: Request) -> Visitor | None:
        """Find out who asks; None where everybody may. Raises AccessDenied, StoreError."""
        path = request.url.path
        if path.startswith(STATIC):
            return None
        if request.method not in _SAFE:
            _require_own_origin(request.headers)
        try:
            return await self._known(request)
        except NotAuthenticated:
            if path in _OPEN:
                return None
            raise

    async def _known(self, request: Request) -> Visitor:
        """Raises NotAuthenticated, AccessDenied, StoreError."""
        held = SESSION.read(request)
        if held is not None:
            by_itself = BACKGROUND in request.headers or _is_stream(request)
            session = await self._sessions.find(held, notes_use=not by_itself)
            if session is not None:
                return Visitor(session.identity, session.csrf, held)
        identity = await self._doorman(request)
        return Visitor(replace(identity, via="page"), self._csrf)

    def _refusal(self, request: Request, error: ReplicatorError) -> Response:
        if not isinstance(error, NotAuthenticated):
            return self._pages.error(request, error)
        if "hx-request" in request.headers:
            # A part of a page cannot be exchanged for a form: the whole page goes.
            back = _split(request.headers.get("hx-current-url", "/"))
            return Response(status_code=401, headers={"HX-Redirect": _sign_in(back.path)})
        if request.method in _SAFE and not _is_stream(request):
            return RedirectResponse(_sign_in(request.url.path), 303)
        return self._pages.error(request, error)


def _is_stream(request: Request) -> bool:
    return "text/event-stream" in request.headers.get("accept", "")


def _sign_in(back: str) -> str:
    return SIGN_IN if back == "/" else f"{SIGN_IN}?next={quote(back)}"


def _require_own_origin(headers: Headers) -> None:
    """Raise AccessDenied unless a form is of this origin; browsers say so of each they send."""
    origin = _split(headers.get("origin", ""))
    if not origin.netloc or origin.netloc != headers.get("host"):
        raise AccessDenied("a page of another origin may change nothing here")


def _split(url: str) -> SplitResult:
    """Take apart what a browser says; what is no address has no parts."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def via(request: Request) -> str:
    """Say by which way somebody asks, for what is written down of it."""
    return f"page from {request.client.host}" if request.client else "page"


def _with_headers(send: Send, *, is_static: bool) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            # The address of a file changes with what is in it.
            kept = "public, max-age=31536000, immutable" if is_static else "no-store"
            headers.setdefault("Cache-Control", kept)
        await send(message)

    return answer
