"""HarborProxies: projects that cache what their upstream has, and lie while it is away."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from replicator.embedded.memory import MemoryStorage
from replicator.embedded.refusal import Refusal

_BY_DIGEST = "sha256:"


class HarborProxies:
    """The storage holds what the upstream has; ``cached`` are the tags that were pulled, by path.

    ``is_down`` says that the upstream cannot be reached.
    """

    def __init__(self, storage: MemoryStorage) -> None:
        self.projects: set[str] = set()
        self.cached: dict[str, set[str]] = {}
        self._blobs: set[str] = set()
        self.is_down = False
        self._storage = storage

    def has(self, path: str) -> bool:
        return path.partition("/")[0] in self.projects

    def shown(self, path: str) -> list[str]:
        """Return the tags that the artifacts of a repository have."""
        tags = self._storage.tags(path)
        return [tag for tag in tags if not self.has(path) or tag in self.cached.get(path, ())]

    def wrap(self, app: ASGIApp) -> ASGIApp:
        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            place = scope["path"].removeprefix("/v2/")
            path, _, reference = place.rpartition("/manifests/")
            if not self.has(place) or "authorization" not in Headers(scope=scope):
                await app(scope, receive, send)
            elif scope["method"] not in ("GET", "HEAD"):
                message = "can not push artifact to a proxy project"
                await Refusal(403, "DENIED", message).response()(scope, receive, send)
            elif place.endswith("/tags/list") and self.is_down:
                path = place.removesuffix("/tags/list")
                listing = {"name": path, "tags": self.shown(path)}
                await JSONResponse(listing)(scope, receive, send)
            elif "/blobs/" in place and (lie := self._about_blob(scope, place)) is not None:
                await lie.response()(scope, receive, send)
            elif path and not reference.startswith(_BY_DIGEST):
                await self._by_tag(path, reference, app, scope, receive, send)
            else:
                await app(scope, receive, send)

        return wrapped

    def _about_blob(self, scope: Scope, place: str) -> Refusal | None:
        """Deny blobs that nobody has pulled: to a HEAD always, to a GET while it cannot pull."""
        digest = place.rpartition("/")[2]
        if digest in self._blobs:
            return None
        if scope["method"] == "HEAD":
            return Refusal(404, "BLOB_UNKNOWN", "blob unknown to registry")
        if self.is_down:
            return Refusal(500, "UNKNOWN", "unknown error")
        self._blobs.add(digest)
        return None

    async def _by_tag(
        self, path: str, tag: str, app: ASGIApp, scope: Scope, receive: Receive, send: Send
    ) -> None:
        is_cached = tag in self.cached.setdefault(path, set())
        if self.is_down and not is_cached:
            refusal = Refusal(404, "NOT_FOUND", f"artifact {path}:{tag} not found")
            await refusal.response()(scope, receive, send)
            return

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                message["headers"] = [
                    (name, b"" if name.lower() in (b"docker-content-digest", b"etag") else value)
                    for name, value in message["headers"]
                ]
                self.cached[path].add(tag)
            await send(message)

        is_first = scope["method"] == "GET" and not is_cached
        await app(scope, receive, say if is_first else send)
