"""GitHub's registry, without referrers or a catalogue, and the packages of api.github.com."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from replicator.embedded.access import PULL, Access
from replicator.embedded.memory import MemoryStorage
from replicator.embedded.server import EmbeddedRegistry
from tests.fakes.front import before, without_referrers
from tests.fakes.token_service import TokenService
from tests.support.faults import Faults


class GitHubTokens(TokenService):
    service = "ghcr.io"

    def granted(self, user: str, access: Access) -> frozenset[str]:
        return access.actions if user and access.kind == "repository" else access.actions & PULL


class FakeGitHub:
    """``registry`` is ghcr.io, ``site`` api.github.com; *users* are no organisations."""

    def __init__(self, passwords: dict[str, str], *, users: tuple[str, ...] = ()) -> None:
        self.storage = MemoryStorage()
        self.users = users
        self.site_faults = Faults()
        self.untagged = 0
        self.tokens = GitHubTokens(passwords, realm="/token")
        self.registry = EmbeddedRegistry(self.storage, auth=self.tokens, wrap=without_referrers)
        place = "/{kind}/{owner}/packages"
        self.site = EmbeddedRegistry(
            wrap=before(
                [
                    Route(place, self._packages),
                    Route(f"{place}/container/{{name:path}}/versions", self._versions),
                ],
                self.site_faults,
            )
        )

    def settings(self) -> dict[str, Any]:
        return {"kind": "ghcr", "api_endpoint": self.site.url}

    def _refusal(self, request: Request) -> Response | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens.passwords.values():
            return JSONResponse({"message": "Requires authentication"}, 401)
        expected = "users" if request.path_params["owner"] in self.users else "orgs"
        if request.path_params["kind"] != expected:
            return JSONResponse({"message": "Not Found"}, 404)
        return None

    async def _packages(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        owner = request.path_params["owner"]
        names = [name for name in self.storage.repositories() if name.startswith(f"{owner}/")]
        entries = [
            {"name": name.partition("/")[2], "package_type": "container", "owner": {"login": owner}}
            for name in names
        ]
        return self._page(request, entries)

    async def _versions(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        path = f"{request.path_params['owner']}/{unquote(request.path_params['name'])}"
        if not self.storage.has_repository(path):
            return JSONResponse({"message": "Package not found."}, 404)
        versions: dict[str, list[str]] = {f"sha256:{n:064}": [] for n in range(self.untagged)}
        for tag in self.storage.tags(path):
            versions.setdefault(str(self.storage.resolve(path, tag)), []).append(tag)
        entries = [
            {
                "id": number,
                "name": digest,
                "metadata": {"package_type": "container", "container": {"tags": tags}},
            }
            for number, (digest, tags) in enumerate(versions.items())
        ]
        return self._page(request, entries)

    def _page(self, request: Request, entries: list[dict[str, Any]]) -> Response:
        query = request.query_params
        size, number = min(int(query.get("per_page", 30)), 100), int(query.get("page", 1))
        start, headers = (number - 1) * size, {}
        if start + size < len(entries):
            following = request.url.include_query_params(page=number + 1)
            headers["Link"] = f'<{following}>; rel="next", <{following}>; rel="last"'
        return JSONResponse(entries[start : start + size], headers=headers)
