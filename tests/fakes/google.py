"""Google's registries: the manifest map in ``tags/list``, tokens, no chunks and no mounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from replicator.embedded.access import Access
from replicator.embedded.memory import MemoryStorage
from replicator.embedded.refusal import Refusal
from replicator.embedded.server import EmbeddedRegistry
from replicator.oci.manifest import Manifest
from tests.fakes.front import before, without_mounts
from tests.fakes.token_service import TokenService
from tests.support.faults import Faults

CREATED_MS = 1_767_225_600_000  # 2026-01-01, as the configs of tests say


class GoogleTokens(TokenService):
    """Takes no form; data requests are refused without saying where tokens are."""

    service = "gcr.test"
    life = 3600
    form_status = 404

    def bearer(self, connection: HTTPConnection, needed: Sequence[Access]) -> str:
        return super().bearer(connection, ()) if connection.scope["path"] == "/v2/" else ""


class FakeGoogle:
    """Repositories of one project, ``page_size`` tags a page."""

    def __init__(self, tokens: TokenService | None = None, *, page_size: int = 10_000) -> None:
        self.storage = MemoryStorage()
        self.page_size = page_size
        self.faults = Faults()
        self.tokens = tokens or GoogleTokens(realm="/v2/token")
        front = before([Route("/v2/{path:path}/tags/list", self._tags)], self.faults)
        self.registry = EmbeddedRegistry(
            self.storage,
            auth=self.tokens,
            wrap=lambda app: front(without_mounts(app)),
        )

    async def _tags(self, request: Request) -> Response:
        path = request.path_params["path"]
        claims = self.tokens.claims(request)
        needed = Access.parse(f"repository:{path}:pull")
        if claims is None or str(needed) not in claims["access"]:
            return Response(status_code=401)
        children = self._children(path)
        if not self.storage.has_repository(path) and not children:
            return Refusal(404, "NAME_UNKNOWN", "not found").response()
        names = self.storage.tags(path) if self.storage.has_repository(path) else []
        last = request.query_params.get("last", "")
        rest = [name for name in names if name > last]
        page = rest[: self.page_size]
        headers = {}
        if len(rest) > len(page):
            headers["Link"] = (
                f'<{request.url.path}?n={self.page_size}&last={quote(page[-1])}>; rel="next"'
            )
        body = {
            "child": children,
            "manifest": self._manifests(path, page),
            "name": path,
            "tags": page,
        }
        return JSONResponse(body, headers=headers)

    def _children(self, path: str) -> list[str]:
        below = [
            name.removeprefix(f"{path}/")
            for name in self.storage.repositories()
            if name.startswith(f"{path}/")
        ]
        return sorted({name.partition("/")[0] for name in below})

    def _manifests(self, path: str, tags: list[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for tag in tags:
            digest = self.storage.resolve(path, tag)
            stored = self.storage.manifest(path, digest)
            manifest = Manifest.parse(stored.content, stored.media_type)
            facts = found.setdefault(
                str(digest),
                {
                    "imageSizeBytes": str(len(stored.content)),
                    "layerId": "",
                    "mediaType": stored.media_type,
                    "tag": [],
                    "timeCreatedMs": "0" if manifest.is_index else str(CREATED_MS),
                    "timeUploadedMs": str(CREATED_MS + 1000),
                },
            )
            facts["tag"].append(tag)
        return found
