"""Asked: what a request to the distribution API is about, and answers that end it."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PLACE = re.compile(r"/v2/(.+)/(manifests|blobs/uploads|blobs|tags|referrers)/(.*)", re.DOTALL)
OCTETS = "application/octet-stream"

Answer: TypeAlias = Callable[["Asked", Request], Awaitable[Response | None]]


@dataclass(frozen=True)
class Asked:
    """*kind* is "manifests", "blobs", "uploads", "tags" or "referrers"."""

    method: str
    path: str
    kind: str
    reference: str
    headers: Headers

    @classmethod
    def of(cls, scope: Scope) -> Self | None:
        match = _PLACE.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if match is None:
            return None
        path, kind, reference = match.groups()
        kind = kind.rpartition("/")[2]
        return cls(scope["method"], path, kind, reference, Headers(scope=scope))

    @property
    def reads(self) -> bool:
        return self.method in ("GET", "HEAD")

    @property
    def is_by_digest(self) -> bool:
        return self.reference.startswith(("sha256:", "sha512:"))

    @property
    def accepted(self) -> set[str]:
        """The types that the client takes, without ``*/*``."""
        types = ",".join(self.headers.getlist("accept")).split(",")
        return {each.partition(";")[0].strip() for each in types} - {"", "*/*"}


def answering(answer: Answer) -> Callable[[ASGIApp], ASGIApp]:
    """Return a wrap that lets *answer* speak first; the body can be read again after that."""

    def wrap(app: ASGIApp) -> ASGIApp:
        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            asked = Asked.of(scope)
            request = Request(scope, receive)
            if asked is not None and (said := await answer(asked, request)) is not None:
                await said(scope, receive, send)
                return
            read = getattr(request, "_body", None)
            await app(scope, receive if read is None else _again(read, receive), send)

        return wrapped

    return wrap


def with_headers(app: ASGIApp, change: Callable[[Scope, int, Any], None]) -> ASGIApp:
    """Let *change* edit the headers of each answer, which has this status."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = Response(status_code=message["status"]).headers
                headers.raw.clear()
                headers.raw.extend(message["headers"])
                change(scope, message["status"], headers)
                message = {**message, "headers": headers.raw}
            await send(message)

        await app(scope, receive, say)

    return wrapped


def refusal(status: int, code: str, message: str, detail: Any = None, **headers: str) -> Response:
    """Return an error as the API has it, with any *detail*."""
    error = {"code": code, "message": message, "detail": detail}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return JSONResponse({"errors": [error]}, status, headers=named)


def parsed(content: bytes) -> Any:
    """Return JSON; None for what is none."""
    try:
        return json.loads(content)
    except ValueError:
        return None


def _again(body: bytes, receive: Receive) -> Receive:
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay
