"""Gate: what every request has to pass before a route sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from replicator.api.v1.problems import problem, problem_of
from replicator.errors import AccessDenied, ReplicatorError
from replicator.service.access.identity import Identity
from replicator.store.actor import Actor, acting

# In bytes, of a body that comes in.
LARGEST_BODY: Final = 1024 * 1024
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

# Finds out who asks. Raises NotAuthenticated, AccessDenied, StoreError.
Doorman = Callable[[HTTPConnection], Awaitable[Identity]]


class Gate:
    """Lets through who is known, from no foreign web page, with a body of bounded size.

    What a request changes is written down as the doing of who asks.
    """

    def __init__(self, app: ASGIApp, doorman: Doorman) -> None:
        self._app = app
        self._doorman = doorman

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = HTTPConnection(scope)
        try:
            _refuse_foreign_page(scope["method"], request.headers)
            identity = await self._doorman(request)
        except ReplicatorError as error:
            await problem_of(error)(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["identity"] = identity
        # For answers that last: whoever asked may have lost the right to it meanwhile.
        state["identify_again"] = partial(self._doorman, request)
        bounded = _Bounded(receive, send)
        if bounded.announces_too_much(request.headers):
            await _TOO_LARGE(scope, receive, send)
            return
        with acting(Actor(identity.subject, _via(identity, request))):
            with suppress(_TooLarge):
                await self._app(scope, bounded.receive, bounded.send)
            if bounded.is_too_much and not bounded.has_answered:
                await _TOO_LARGE(scope, receive, send)


class _TooLarge(Exception):
    """More came than may come."""


class _Bounded:
    """Counts what comes in, whatever its length was said to be."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._received = 0
        self.is_too_much = False
        self.has_answered = False

    def announces_too_much(self, headers: Headers) -> bool:
        length = headers.get("content-length", "")
        return length.isdecimal() and int(length[:20]) > LARGEST_BODY

    async def receive(self) -> Message:
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > LARGEST_BODY:
            self.is_too_much = True
            raise _TooLarge
        return message

    async def send(self, message: Message) -> None:
        if self.is_too_much and not self.has_answered:
            # FastAPI takes it for a body that it cannot read, and would answer 400.
            return
        self.has_answered = True
        await self._send(message)


_TOO_LARGE: Final = problem(
    413, "body_too_large", "The body is too large", f"the most is {LARGEST_BODY} bytes"
)


def _refuse_foreign_page(method: str, headers: Headers) -> None:
    """Raise AccessDenied when a web page of another origin wants to change something.

    A browser sends simple requests without asking whether it may, and to 127.0.0.1 as well.
    """
    origin = headers.get("origin")
    if method in _SAFE or origin is None:
        return
    if urlsplit(origin).netloc != headers.get("host"):
        raise AccessDenied("a page of another origin may change nothing here")


def _via(identity: Identity, request: HTTPConnection) -> str:
    host = request.client.host if request.client else ""
    return f"{identity.via} from {host}" if host else identity.via
