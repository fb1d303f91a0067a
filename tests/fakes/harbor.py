"""Harbor: projects, tokens for what the user may do whatever was asked, and ``/api/v2.0``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from replicator.embedded.access import Access
from replicator.embedded.guard import Guard
from replicator.embedded.memory import MemoryStorage
from replicator.embedded.passwords import basic_login
from replicator.embedded.refusal import Refusal
from replicator.embedded.server import EmbeddedRegistry
from replicator.oci.digest import Digest
from tests.fakes.front import before
from tests.fakes.harbor_habits import READ_ONLY, HarborHabits
from tests.fakes.harbor_proxy import HarborProxies
from tests.fakes.token_service import NOBODY, TokenService
from tests.support.faults import Faults

_LARGEST_PAGE = 100
_ALL = frozenset({"pull", "push", "delete"})


class HarborTokens(TokenService):
    """Gives an anonymous token for a wrong password; challenges for Basic who sent anything."""

    service = "harbor-registry"
    life = 1800

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.projects: set[str] = set()

    def challenge(self, connection: HTTPConnection, needed: Sequence[Access]) -> str | None:
        authorization = connection.headers.get("authorization", "")
        if self.basic_user(authorization):
            return None
        refusal = super().challenge(connection, _without_own_source(needed))
        if refusal is not None and authorization:
            return 'Basic realm="harbor"'
        return refusal

    def basic_user(self, authorization: str) -> str:
        login = basic_login(authorization)
        return login[0] if login and self.passwords.get(login[0]) == login[1] else NOBODY

    def wrong_password(self, login: tuple[str, str] | None) -> Response | None:
        return None

    def granted(self, user: str, access: Access) -> frozenset[str]:
        project = access.name.partition("/")[0]
        if project not in self.projects:
            return frozenset()
        if user:
            return _ALL
        return frozenset() if project in self.private else frozenset({"pull"})


def _without_own_source(needed: Sequence[Access]) -> Sequence[Access]:
    """Leave out what a mount reads within the project that it writes to."""
    project = needed[0].name.partition("/")[0] if needed else ""
    return [*needed[:1], *(each for each in needed[1:] if each.name.partition("/")[0] != project)]


class FakeHarbor:
    """A registry with projects; ``pull_only`` are robots without rights in the API."""

    def __init__(
        self,
        passwords: dict[str, str] | None = None,
        *,
        projects: tuple[str, ...] = ("project",),
        private: tuple[str, ...] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.storage = MemoryStorage()
        self.faults = Faults()
        self.pull_only: set[str] = set()
        self.cannot_create: set[str] = set()
        self.cannot_read: set[str] = set()  # robots that may not read their project
        self.proxies = HarborProxies(self.storage)
        self.habits = HarborHabits(self.storage)
        self.tokens = HarborTokens(passwords, realm="/service/token", private=private, clock=clock)
        self.tokens.projects = set(projects)
        projects_path = "/api/v2.0/projects"
        front = before(
            [
                *self.tokens.routes,
                Route(projects_path, self._head_project, methods=["HEAD"]),
                Route(projects_path, self._list_projects, methods=["GET"]),
                Route(projects_path, self._create_project, methods=["POST"]),
                Route(f"{projects_path}/{{project}}", self._project, methods=["GET"]),
                Route(f"{projects_path}/{{project}}/repositories", self._repositories),
                Route(
                    f"{projects_path}/{{project}}/repositories/{{name}}/artifacts", self._artifacts
                ),
                Route(
                    f"{projects_path}/{{project}}/repositories/{{name}}/artifacts"
                    "/{reference}/tags/{tag}",
                    self._delete_tag,
                    methods=["DELETE"],
                ),
            ],
            self.faults,
        )
        self.registry = EmbeddedRegistry(
            self.storage,
            wrap=lambda app: self._cookies(
                front(self._core(Guard(self.proxies.wrap(self.habits.wrap(app)), self.tokens)))
            ),
        )

    @property
    def projects(self) -> set[str]:
        return self.tokens.projects

    def _core(self, app: ASGIApp) -> ASGIApp:
        """Say of a missing project that nobody is authorized, and where a user is, that it is."""

        async def core(scope: Scope, receive: Receive, send: Send) -> None:
            path = scope["path"]
            headers = dict(scope.get("headers", ()))
            project = path.removeprefix("/v2/").partition("/")[0]
            is_data = path.startswith("/v2/") and path != "/v2/" and not project.startswith("_")
            if is_data and b"authorization" in headers and project not in self.projects:
                message = f"project {project} not found: project {project} not found"
                refusal = Refusal(401, "UNAUTHORIZED", message, headers={"Www-Authenticate": ""})
                await refusal.response()(scope, receive, send)
                return
            if path == "/v2/_catalog" and not self.tokens.basic_user(
                headers.get(b"authorization", b"").decode()
            ):
                refusal = Refusal(
                    401, "UNAUTHORIZED", "", headers={"Www-Authenticate": 'Basic realm="harbor"'}
                )
                await refusal.response()(scope, receive, send)
                return
            await app(scope, receive, send)

        return core

    def _cookies(self, app: ASGIApp) -> ASGIApp:
        """Give everybody a session, and refuse the API's writes that come with it."""

        async def with_session(scope: Scope, receive: Receive, send: Send) -> None:
            headers = dict(scope.get("headers", ()))
            is_write = scope["method"] not in ("GET", "HEAD")
            if b"cookie" in headers and is_write and scope["path"].startswith("/api/"):
                refusal = Refusal(403, "FORBIDDEN", "CSRF token not found in request")
                await refusal.response()(scope, receive, send)
                return

            async def say(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], (b"set-cookie", b"sid=1; Path=/")]
                await send(message)

            await app(scope, receive, say)

        return with_session

    # The API

    def _user(self, request: Request) -> str:
        return self.tokens.basic_user(request.headers.get("authorization", ""))

    def _refusal(self, request: Request, project: str) -> Response | None:
        """The API is Basic; a robot without rights is refused, a foreign project hidden."""
        user = self._user(request)
        if user in self.pull_only:
            return _error(403, "FORBIDDEN", "forbidden")
        if not user and (project in self.tokens.private or project not in self.projects):
            return _error(401, "UNAUTHORIZED", "unauthorized")
        if project.isdigit() and request.headers.get("x-is-resource-name") != "true":
            return _error(404, "NOT_FOUND", f"project id {project} not found")
        return None

    async def _head_project(self, request: Request) -> Response:
        if not self._user(request):
            return Response(status_code=401)
        found = request.query_params.get("project_name") in self.projects
        return Response(status_code=200 if found else 404)

    async def _list_projects(self, request: Request) -> Response:
        user = self._user(request)
        seen = [name for name in sorted(self.projects) if user or name not in self.tokens.private]
        wanted = request.query_params.get("q", "")
        found = [self._shown(name) for name in seen if wanted in ("", f"name={name}")]
        return self._page(request, found)

    async def _project(self, request: Request) -> Response:
        project = request.path_params["project"]
        if (refusal := self._refusal(request, project)) is not None:
            return refusal
        if self._user(request) in self.cannot_read:
            return _error(403, "FORBIDDEN", "forbidden")
        if project not in self.projects:
            return _error(404, "NOT_FOUND", f"project {project} not found")
        return JSONResponse(self._shown(project))

    def _shown(self, project: str) -> dict[str, Any]:
        upstream = {"registry_id": 1} if project in self.proxies.projects else {}
        return {"name": project, "project_id": 2, **upstream}

    async def _create_project(self, request: Request) -> Response:
        user = self._user(request)
        if not user:
            return _error(401, "UNAUTHORIZED", "unauthorized")
        if user in self.cannot_create:
            return _error(403, "FORBIDDEN", "Only system level robot can create project")
        if self.habits.is_read_only:
            return _error(403, "DENIED", READ_ONLY)
        name = json.loads(await request.body())["project_name"]
        if name in self.projects:
            return _error(409, "CONFLICT", f"The project named {name} already exists")
        self.projects.add(name)
        return Response(status_code=201, headers={"Location": "/api/v2.0/projects/7"})

    async def _repositories(self, request: Request) -> Response:
        project = request.path_params["project"]
        if (refusal := self._refusal(request, project)) is not None:
            return refusal
        names = [name for name in self.storage.repositories() if name.startswith(f"{project}/")]
        return self._page(request, [{"name": name, "artifact_count": 1} for name in names])

    async def _artifacts(self, request: Request) -> Response:
        project = request.path_params["project"]
        if (refusal := self._refusal(request, project)) is not None:
            return refusal
        if request.query_params.get("q") != "tags=*":
            return _error(400, "BAD_REQUEST", "the fake knows q=tags=* alone")
        # The server has undone one of the two encodings.
        path = f"{project}/{unquote(request.path_params['name'])}"
        if not self.storage.has_repository(path):
            return self._page(request, [])
        tags: dict[Digest, list[str]] = {}
        signed: set[str] = set()
        for tag in reversed(self.proxies.shown(path)):
            if tag.startswith("sha256-"):
                signed.add(tag.removeprefix("sha256-")[:64])
            else:
                tags.setdefault(self.storage.resolve(path, tag), []).append(tag)
        entries = [
            {
                "digest": str(digest),
                "tags": [{"name": name, "immutable": False} for name in names],
                "accessories": [{"type": "signature.cosign"}] if digest.hex in signed else None,
                "references": None,
                "push_time": "2026-01-01T00:00:00.000Z",
            }
            for digest, names in tags.items()
        ]
        return self._page(request, entries)

    async def _delete_tag(self, request: Request) -> Response:
        project, tag = request.path_params["project"], request.path_params["tag"]
        if (refusal := self._refusal(request, project)) is not None:
            return refusal
        if not self._user(request):
            return _error(401, "UNAUTHORIZED", "unauthorized")
        path = f"{project}/{unquote(request.path_params['name'])}"
        if self.habits.is_read_only:
            return _error(403, "DENIED", READ_ONLY)
        if tag in self.habits.immutable:
            return _error(412, "PRECONDITION", f"the tag {tag} is configured as immutable.")
        if not self.storage.delete_tag(path, tag):
            return _error(404, "NOT_FOUND", f"artifact {path}:{tag} not found")
        return Response(status_code=200)

    def _page(self, request: Request, entries: list[dict[str, Any]]) -> Response:
        query = request.query_params
        number, size = int(query.get("page", 1)), int(query.get("page_size", 10))
        if size > _LARGEST_PAGE:
            return _error(422, "UNPROCESSABLE_ENTITY", "page_size should be at most 100")
        start = (number - 1) * size
        links = [
            f'<{request.url.path}?page={other}&page_size={size}&q=tags=*>; rel="{name}"'
            for other, name, is_there in (
                (number - 1, "prev", number > 1),
                (number + 1, "next", start + size < len(entries)),
            )
            if is_there
        ]
        headers = {"X-Total-Count": str(len(entries))}
        if links:
            headers["Link"] = " , ".join(links)
        return JSONResponse(entries[start : start + size], headers=headers)


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"errors": [{"code": code, "message": message}]}, status)
