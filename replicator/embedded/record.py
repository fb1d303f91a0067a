"""RequestLog: which requests a registry got and how each was answered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class LoggedRequest(NamedTuple):
    """One request; ``target`` is path and query, ``status`` 0 when there was no answer."""

    method: str
    target: str
    status: int


class RequestLog:
    """Every request since the start or the last ``clear``, in the order of the answers."""

    def __init__(self) -> None:
        self._requests: list[LoggedRequest] = []

    def add(self, request: LoggedRequest) -> None:
        self._requests.append(request)

    def count(self, method: str = "", pattern: str = "", *, status: int | None = None) -> int:
        """Count those of *method*, if given, whose target has a match of *pattern*."""
        return sum(
            method in ("", request.method)
            and status in (None, request.status)
            and re.search(pattern, request.target) is not None
            for request in self
        )

    def clear(self) -> None:
        self._requests.clear()

    def __iter__(self) -> Iterator[LoggedRequest]:
        return iter(tuple(self._requests))

    def __len__(self) -> int:
        return len(self._requests)


class Recorder:
    """Middleware that logs each request just before its client can know the answer."""

    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answered = False

        def record(status: int) -> None:
            nonlocal answered
            answered = True
            self._log.add(LoggedRequest(scope["method"], _target(scope), status))

        async def send_recorded(message: Message) -> None:
            if message["type"] == "http.response.start":
                record(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, send_recorded)
        finally:
            if not answered:
                record(0)


def _target(scope: Scope) -> str:
    query: bytes = scope["query_string"]
    path: bytes = scope["raw_path"]
    return (path + b"?" + query if query else path).decode("latin-1")
