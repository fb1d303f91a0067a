"""Aliyun's registry: tokens from a host of its own, no lists, and sessions that say nonsense."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from replicator.embedded.access import PULL, Access
from replicator.embedded.memory import MemoryStorage
from replicator.embedded.refusal import Refusal
from replicator.embedded.server import EmbeddedRegistry
from tests.fakes.front import before
from tests.fakes.token_service import TokenService
from tests.support.faults import Faults


class AliyunTokens(TokenService):
    """Its service names region and instance; lists are for nobody."""

    service = "registry.aliyuncs.com:cn-hangzhou:26842"
    life = 300

    def granted(self, user: str, access: Access) -> frozenset[str]:
        if access.kind != "repository":
            return frozenset()
        is_private = access.name.partition("/")[0] in self.private
        if user:
            return access.actions
        return frozenset() if is_private else access.actions & PULL


class FakeAliyun:
    """``registry`` is registry.REGION.aliyuncs.com, ``site`` dockerauth.REGION.aliyuncs.com."""

    def __init__(self, passwords: dict[str, str], *, private: tuple[str, ...] = ()) -> None:
        self.storage = MemoryStorage()
        self.faults = Faults()
        self.tokens = AliyunTokens(passwords, realm="https://later", private=private)
        front = before(
            [
                Route("/v2/_catalog", self._no_catalogue),
                Route("/v2/{path:path}/tags/list", self._tags),
            ],
            self.faults,
        )
        self.registry = EmbeddedRegistry(
            self.storage, auth=self.tokens, wrap=lambda app: front(_wrong_ranges(app))
        )
        self.site = EmbeddedRegistry(
            wrap=before([Route("/auth", self.tokens.answer, methods=["GET", "POST"])], Faults())
        )

    def settings(self) -> dict[str, Any]:
        """What the entry has to say so that the fake stands for Aliyun, once it runs."""
        self.tokens.realm = f"{self.site.url}/auth"
        return {"kind": "aliyun", "token_origins": (self.site.url,)}

    async def _no_catalogue(self, request: Request) -> Response:
        return Refusal(404, "UNSUPPORTED", "the operation is unsupported").response()

    async def _tags(self, request: Request) -> Response:
        """Show tags of what is public; those of private repositories the cloud's API has."""
        path = request.path_params["path"]
        claims = self.tokens.claims(request)
        if claims is None:
            needed = [Access("repository", path, PULL)]
            headers = {"WWW-Authenticate": self.tokens.bearer(request, needed)}
            refusal = Refusal(401, "UNAUTHORIZED", "authentication required", headers=headers)
        elif not self.storage.has_repository(path):
            refusal = Refusal(404, "NAME_UNKNOWN", "repository name not known")
        elif path.partition("/")[0] in self.tokens.private:
            refusal = Refusal(403, "DENIED", "requested access to the resource is denied")
        else:
            refusal = None
        if refusal is not None:
            return refusal.response()
        return JSONResponse({"name": path, "tags": self.storage.tags(path)})


def _wrong_ranges(app: ASGIApp) -> ASGIApp:
    """Say of every session that it holds one byte."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    (name, b"0-0" if name == b"range" else value)
                    for name, value in message["headers"]
                ]
            await send(message)

        await app(scope, receive, say)

    return wrapped
