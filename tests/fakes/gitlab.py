"""GitLab's registry, and what groups and projects have by ``/api/v4`` on the main host."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from replicator.embedded.access import PULL, Access
from replicator.embedded.memory import MemoryStorage
from replicator.embedded.server import EmbeddedRegistry
from tests.fakes.front import before
from tests.fakes.token_service import TokenService
from tests.support.faults import Faults


class GitLabTokens(TokenService):
    """The catalogue is for administrators, of whom there are none here."""

    service = "container_registry"

    def granted(self, user: str, access: Access) -> frozenset[str]:
        if access.kind != "repository":
            return frozenset()
        return access.actions if user else access.actions & PULL


class FakeGitLab:
    """``registry`` is registry.gitlab.com, ``site`` gitlab.com with the *groups* that exist."""

    def __init__(self, passwords: dict[str, str], *, groups: tuple[str, ...]) -> None:
        self.storage = MemoryStorage()
        self.groups = groups
        self.tokens = GitLabTokens(passwords, realm="https://later")
        self.registry = EmbeddedRegistry(self.storage, auth=self.tokens)
        place = "/api/v4/{kind}/{id:path}/registry/repositories"
        self.site = EmbeddedRegistry(
            wrap=before(
                [
                    Route("/jwt/auth", self.tokens.answer, methods=["GET", "POST"]),
                    Route(place, self._repositories),
                ],
                Faults(),
            )
        )

    def settings(self) -> dict[str, Any]:
        self.tokens.realm = f"{self.site.url}/jwt/auth"
        return {
            "kind": "gitlab",
            "api_endpoint": self.site.url,
            "token_origins": (self.site.url,),
        }

    async def _repositories(self, request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens.passwords.values():
            return JSONResponse({"message": "401 Unauthorized"}, 401)
        path, kind = unquote(request.path_params["id"]), request.path_params["kind"]
        names = [
            name
            for name in self.storage.repositories()
            if name == path or name.startswith(f"{path}/")
        ]
        if (kind == "groups") != (path in self.groups) or not names:
            return JSONResponse({"message": "404 Not Found"}, 404)
        query = request.query_params
        size, number = min(int(query.get("per_page", 20)), 100), int(query.get("page", 1))
        start, headers = (number - 1) * size, {}
        if start + size < len(names):
            following = request.url.include_query_params(page=number + 1)
            headers = {"Link": f'<{following}>; rel="next"', "X-Next-Page": str(number + 1)}
        entries = [{"id": n, "name": "", "path": name} for n, name in enumerate(names)]
        return JSONResponse(entries[start : start + size], headers=headers)
