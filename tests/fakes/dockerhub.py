"""Docker Hub: the registry that counts pulls, its token service, and the management API."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
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

WINDOW = 21600  # seconds
_LARGEST_PAGE = 100


class HubTokens(TokenService):
    """Gives tokens for 300 s, for repositories and nothing else."""

    service = "registry.docker.io"

    def granted(self, user: str, access: Access) -> frozenset[str]:
        if access.kind != "repository":
            return frozenset()
        namespace = access.name.partition("/")[0]
        if user and user == namespace:
            return access.actions
        return frozenset() if namespace in self.private else access.actions & PULL


class FakeHub:
    """``registry`` is registry-1.docker.io; ``site`` is auth.docker.io and hub.docker.com.

    *pulls* is what is left of the limit, None for an account without one.
    """

    def __init__(
        self,
        passwords: dict[str, str] | None = None,
        *,
        pulls: int | None = None,
        private: tuple[str, ...] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.storage = MemoryStorage()
        self.pulls = pulls
        self.faults = Faults()
        self.site_faults = Faults()
        self.clock = clock
        self.tokens = HubTokens(passwords, realm="https://later", private=private, clock=clock)
        self.logins = 0
        self.registry = EmbeddedRegistry(
            self.storage, auth=self.tokens, wrap=lambda app: self.faults(self._count_pulls(app))
        )
        self.site = EmbeddedRegistry(
            wrap=before(
                [
                    Route("/token", self.tokens.answer, methods=["GET", "POST"]),
                    Route("/v2/auth/token", self._login, methods=["POST"]),
                    Route("/v2/namespaces/{namespace}/repositories", self._repositories),
                    Route("/v2/namespaces/{namespace}/repositories/{name}/tags", self._tags),
                    Route(
                        "/v2/repositories/{namespace}/{name}/tags/{tag}/",
                        self._delete_tag,
                        methods=["DELETE"],
                    ),
                ],
                self.site_faults,
            )
        )

    def settings(self) -> dict[str, Any]:
        """What the entry of docker.io has to say so that the fake stands for it; once it runs."""
        self.tokens.realm = f"{self.site.url}/token"
        return {
            "endpoint": self.registry.url,
            "api_endpoint": self.site.url,
            "token_origins": (self.site.url,),
        }

    # The registry

    def _count_pulls(self, app: ASGIApp) -> ASGIApp:
        """Count the manifests that are given out, say what is left, and give out none at 0."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or "/manifests/" not in scope["path"]:
                await app(scope, receive, send)
                return
            is_over = False

            async def say(message: Message) -> None:
                nonlocal is_over
                if message["type"] == "http.response.start" and message["status"] == 200:
                    if scope["method"] == "GET" and self.pulls is not None:
                        is_over = self.pulls == 0
                        self.pulls -= not is_over
                    message["headers"] = [*message["headers"], *self._limits()]
                    if is_over:
                        await self._too_many()(scope, receive, send)
                if not is_over:
                    await send(message)

            await app(scope, receive, say)

        return counted

    def _limits(self) -> list[tuple[bytes, bytes]]:
        if self.pulls is None:
            return []
        return [
            (b"ratelimit-limit", f"100;w={WINDOW}".encode()),
            (b"ratelimit-remaining", f"{self.pulls};w={WINDOW}".encode()),
            (b"docker-ratelimit-source", b"192.0.2.1"),
        ]

    def _too_many(self) -> Response:
        message = (
            "You have reached your pull rate limit. You may increase the limit by "
            "authenticating and upgrading: https://www.docker.com/increase-rate-limit"
        )
        headers = {name.decode(): value.decode() for name, value in self._limits()}
        return Refusal(429, "TOOMANYREQUESTS", message, headers=headers).response()

    # The management API

    async def _login(self, request: Request) -> Response:
        self.logins += 1
        given = json.loads(await request.body())
        if self.tokens.passwords.get(given["identifier"]) != given["secret"]:
            return JSONResponse({"detail": "incorrect authentication credentials"}, 401)
        claims = {"hub": given["identifier"], "exp": self.clock() + 600}
        return JSONResponse({"access_token": self.tokens.signer.sign(claims)})

    def _may_see(self, request: Request) -> bool:
        namespace = request.path_params["namespace"]
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        claims = self.tokens.signer.read(token) if token else None
        user = (claims or {}).get("hub")
        return namespace not in self.tokens.private or user == namespace

    async def _repositories(self, request: Request) -> Response:
        namespace = request.path_params["namespace"]
        if not self._may_see(request):
            return JSONResponse({"message": "object not found"}, 404)
        entries = [
            {"name": name.partition("/")[2], "namespace": namespace, "repository_type": "image"}
            for name in self.storage.repositories()
            if name.startswith(f"{namespace}/")
        ]
        return self._page(request, entries)

    async def _tags(self, request: Request) -> Response:
        path = f"{request.path_params['namespace']}/{request.path_params['name']}"
        if not self._may_see(request) or not self.storage.has_repository(path):
            return JSONResponse({"message": "httperror 404: object not found"}, 404)
        entries = [
            {
                "name": tag,
                "digest": str(self.storage.resolve(path, tag)),
                "media_type": "application/vnd.oci.image.index.v1+json",
                "full_size": 1,
                "last_updated": "2026-01-01T00:00:00.000000Z",
                "tag_status": "active",
                "tag_last_pushed": "2026-01-01T00:00:00.000000Z",
                "images": [
                    {"architecture": "amd64", "os": "linux", "digest": f"sha256:{'0' * 64}"}
                ],
            }
            for tag in self.storage.tags(path)
        ]
        return self._page(request, entries)

    async def _delete_tag(self, request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        claims = self.tokens.signer.read(token) if token else None
        namespace = request.path_params["namespace"]
        if claims is None:
            return JSONResponse({"detail": "Authentication credentials were not provided."}, 401)
        if claims.get("hub") != namespace:
            return JSONResponse({"detail": "You do not have permission."}, 403)
        path = f"{namespace}/{request.path_params['name']}"
        if not self.storage.delete_tag(path, request.path_params["tag"]):
            return JSONResponse({"detail": "Object not found"}, 404)
        return Response(status_code=204)

    def _page(self, request: Request, entries: list[dict[str, Any]]) -> Response:
        query = request.query_params
        number = int(query.get("page", 1))
        size = min(int(query.get("page_size", 10)), _LARGEST_PAGE)
        start = (number - 1) * size
        following = f"{request.url.include_query_params(page=number + 1)}"
        body = {
            "count": len(entries),
            "next": following if start + size < len(entries) else None,
            "previous": None,
            "results": entries[start : start + size],
        }
        headers = {
            "X-RateLimit-Limit": "600",
            "X-RateLimit-Remaining": "599",
            "X-RateLimit-Reset": str(int(self.clock()) + 60),
        }
        return JSONResponse(body, headers=headers)
