"""Faults: makes an embedded registry misbehave, request by request, as a test says.

    faults = Faults()
    async with EmbeddedRegistry(wrap=faults) as registry:
        faults.add(answer(429, headers={"Retry-After": "1"}), "GET", "/manifests/", nth=2)

Each action is a small middleware of its own, so several rules may act on one request; those
added first are nearest to the client. What is often needed besides:

    answer(405), "POST", r"[?&]mount="                                 refuses mounts
    set_header("Link", '<http://other/v2/…>; rel="next"')              leads astray
    edit_header("Location", lambda path: f"http://{other}{path}")      uploads elsewhere
    edit_body(lambda body: body[:-9]), "GET", "/tags/list"             truncates JSON
    edit_body(lambda _: b'{"name":"a","tags":null}')                   replaces it
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Action: TypeAlias = Callable[[ASGIApp, Scope, Receive, Send], Awaitable[None]]
_Headers: TypeAlias = list[tuple[bytes, bytes]]


class Rule:
    """An action, and the requests it acts on. ``hits`` counts those it has acted on."""

    def __init__(self, action: Action, method: str, target: str, nth: int, times: int) -> None:
        self.action = action
        self.hits = 0
        self._method = method
        self._target = re.compile(target)
        self._nth = nth
        self._times = times
        self._seen = 0

    def acts_on(self, scope: Scope) -> bool:
        if self._method not in ("", scope["method"]) or not self._target.search(target_of(scope)):
            return False
        self._seen += 1
        too_late = 0 < self._times < self._seen
        if too_late or self._nth not in (0, self._seen):
            return False
        self.hits += 1
        return True


class Faults:
    """The rules of one registry; to be passed to it as *wrap*."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    def add(
        self, action: Action, method: str = "", target: str = "", *, nth: int = 0, times: int = 0
    ) -> Rule:
        """Let *action* act on requests of *method* whose path and query have a match of *target*.

        It acts on all of them, or on the *nth* alone, or on the first *times*.
        """
        rule = Rule(action, method, target, nth, times)
        self._rules.append(rule)
        return rule

    def clear(self) -> None:
        self._rules.clear()

    def __call__(self, app: ASGIApp) -> ASGIApp:
        async def misbehave(scope: Scope, receive: Receive, send: Send) -> None:
            handler = app
            for rule in reversed([rule for rule in self._rules if rule.acts_on(scope)]):
                handler = partial(rule.action, handler)
            await handler(scope, receive, send)

        return misbehave


# Instead of the application.


def answer(status: int, body: bytes = b"", *, headers: Mapping[str, str] | None = None) -> Action:
    """Give this answer, before the request's body has been read."""

    async def act(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        length = {"Content-Length": str(len(body))}
        await _send_whole(send, status, {**length, **(headers or {})}, body)

    return act


def error_body(code: str, message: str = "told to fail", detail: Any = None) -> bytes:
    """The error body that a registry sends. (distribution-spec, "Error Codes")"""
    return json.dumps({"errors": [{"code": code, "message": message, "detail": detail}]}).encode()


def redirect(origin: str, *, status: int = 307) -> Action:
    """Send the client to the same path and query at *origin*, such as ``http://host:port``."""

    async def act(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {"Location": origin + target_of(scope), "Content-Length": "0"}
        await _send_whole(send, status, headers, b"")

    return act


def endless_body(status: int = 200, *, headers: Mapping[str, str] | None = None) -> Action:
    """Send spaces for as long as the client reads them."""

    async def act(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.ensure_future(_wait_until_gone(receive))
        await send(_start(status, headers or {}))
        while not gone.done():
            await send({"type": "http.response.body", "body": b" " * 65536, "more_body": True})
            await asyncio.sleep(0)

    return act


def hang_up() -> Action:
    """Close the connection before the application sees the request."""

    async def act(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        await _abort(receive)

    return act


# Before the application.


def hold(gate: asyncio.Event) -> Action:
    """Let the request wait until *gate* is set."""

    async def act(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        await gate.wait()
        await app(scope, receive, send)

    return act


def ignore_range() -> Action:
    """Serve the whole blob whatever range is asked for."""

    async def act(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [header for header in scope["headers"] if header[0] != b"range"]
        await app({**scope, "headers": headers}, receive, send)

    return act


def hang_up_while_receiving(after: int) -> Action:
    """Let the application have *after* bytes of the request's body, and close the connection.

    A body that has fewer arrives whole.
    """

    async def act(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        left = after

        async def receive_some() -> Message:
            nonlocal left
            if left == 0:
                await _abort(receive)
            message = await receive()
            piece = message.get("body", b"")[:left]
            left -= len(piece)
            more = left == 0 or message.get("more_body", False)
            return {**message, "body": piece, "more_body": more} if piece else message

        await app(scope, receive_some, send)

    return act


# After the application.


def hang_up_after() -> Action:
    """Let the application do it all, and close the connection instead of answering."""

    async def act(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        async def swallow(message: Message) -> None:
            pass

        await app(scope, receive, swallow)
        await _abort(receive)

    return act


def set_status(status: int) -> Action:
    return _editing_start(lambda start: {**start, "status": status})


def set_header(name: str, value: str | None) -> Action:
    """Replace a header of the answer, or add it; None takes it away."""
    return edit_header(name, lambda _: value)


def edit_header(name: str, edit: Callable[[str], str | None]) -> Action:
    """Replace a header by what *edit* makes of it; a missing one is edited as empty text."""
    key = name.lower().encode()

    def change(start: Message) -> Message:
        headers: _Headers = start["headers"]
        old = next((value.decode() for header, value in headers if header.lower() == key), "")
        new = edit(old)
        headers = [header for header in headers if header[0].lower() != key]
        if new is not None:
            headers.append((key, new.encode()))
        return {**start, "headers": headers}

    return _editing_start(change)


def edit_body(edit: Callable[[bytes], bytes]) -> Action:
    """Replace the answer's body, which is held in memory, and its length."""

    async def act(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {}
        body = bytearray()

        async def collect(message: Message) -> None:
            nonlocal body
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                body += message.get("body", b"")

        await app(scope, receive, collect)
        edited = edit(bytes(body))
        headers = [header for header in start["headers"] if header[0].lower() != b"content-length"]
        headers.append((b"content-length", str(len(edited)).encode()))
        await send({**start, "headers": headers})
        await send({"type": "http.response.body", "body": edited})

    return act


def gzip_body() -> Action:
    """Compress the answer, as a meddling proxy does."""
    return _chain(set_header("Content-Encoding", "gzip"), edit_body(gzip.compress))


def flip_byte(at: int) -> Action:
    """Change one bit of the byte at offset *at* of the answer's body."""

    def damage(piece: bytes, offset: int) -> bytes:
        if not offset <= at < offset + len(piece):
            return piece
        damaged = bytearray(piece)
        damaged[at - offset] ^= 1
        return bytes(damaged)

    async def act(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        offset = 0

        async def send_damaged(message: Message) -> None:
            nonlocal offset
            piece = bytes(message.get("body", b""))
            if piece:
                message = {**message, "body": damage(piece, offset)}
            offset += len(piece)
            await send(message)

        await app(scope, receive, send_damaged)

    return act


def cut_body(after: int) -> Action:
    """Close the connection once *after* bytes of the answer's body are out."""

    async def act(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        left = after
        cut = False

        async def send_start_of(message: Message) -> None:
            nonlocal left, cut
            piece = message.get("body", b"")
            if cut:
                return
            if len(piece) <= left:
                left -= len(piece)
                await send(message)
                return
            cut = True
            await send({**message, "body": bytes(piece[:left]), "more_body": True})
            _transport(receive).close()

        await app(scope, receive, send_start_of)
        if cut:
            await _wait_until_gone(receive)

    return act


def hold_body(gate: asyncio.Event, *, after: int = 0) -> Action:
    """Stop sending the answer's body after *after* bytes until *gate* is set."""

    async def act(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        left = after

        async def send_held(message: Message) -> None:
            nonlocal left
            piece = message.get("body", b"")
            if len(piece) > left and not gate.is_set():
                if left:
                    await send({**message, "body": bytes(piece[:left]), "more_body": True})
                message = {**message, "body": bytes(piece[left:])}
                left = 0
                await gate.wait()
            left = max(0, left - len(piece))
            await send(message)

        await app(scope, receive, send_held)

    return act


def target_of(scope: Scope) -> str:
    """Path and query, as they were sent."""
    query: bytes = scope["query_string"]
    path: bytes = scope["raw_path"]
    return (path + b"?" + query if query else path).decode("latin-1")


def _chain(*actions: Action) -> Action:
    async def act(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        handler = app
        for action in reversed(actions):
            handler = partial(action, handler)
        await handler(scope, receive, send)

    return act


def _editing_start(change: Callable[[Message], Message]) -> Action:
    async def act(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_changed(message: Message) -> None:
            await send(change(message) if message["type"] == "http.response.start" else message)

        await app(scope, receive, send_changed)

    return act


async def _send_whole(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    await send(_start(status, headers))
    await send({"type": "http.response.body", "body": body})


def _start(status: int, headers: Mapping[str, str]) -> Message:
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": encoded}


async def _abort(receive: Receive) -> None:
    _transport(receive).abort()
    await _wait_until_gone(receive)


def _transport(receive: Receive) -> asyncio.Transport:
    """The connection itself: ASGI has no word for closing it, but uvicorn's channel holds it."""
    transport: asyncio.Transport = receive.__self__.transport  # type: ignore[attr-defined]
    return transport


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
