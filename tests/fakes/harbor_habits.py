"""HarborHabits: what Harbor's ``/v2`` does otherwise than the specification has it, as measured."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp

from replicator.embedded.memory import MemoryStorage
from replicator.embedded.storage import StoredManifest
from replicator.errors import InvalidValue
from replicator.oci import media_types
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from tests.fakes.asked import Asked, answering, refusal
from tests.fakes.harbor_uploads import HarborUploads

READ_ONLY = "The system is in read only mode. Any modification is prohibited."
_LARGEST_MANIFEST = 4 << 20
_LARGEST_READ = 8 << 20
_LONGEST_PATH = 254
_LONGEST_TAG = 128
_OCI = {media_types.OCI_MANIFEST, media_types.OCI_INDEX}


class HarborHabits:
    """``immutable`` are tags that may not be moved."""

    def __init__(self, storage: MemoryStorage) -> None:
        self.immutable: set[str] = set()
        self.is_read_only = False
        self.uploads = HarborUploads(storage)
        self._storage = storage

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Put the habits around the registry, behind its guard."""
        return answering(self._answer)(app)

    async def _answer(self, asked: Asked, request: Request) -> Response | None:
        if (wrong := _wrong_name(asked)) is not None:
            return wrong
        if not asked.reads and self.is_read_only:
            return refusal(403, "DENIED", READ_ONLY)
        match asked.kind, asked.method:
            case "uploads", _:
                return await self.uploads.answer(asked, request)
            case "manifests", "PUT":
                return self._refuse_put(asked, await request.body())
            case "manifests", "DELETE":
                return self._delete(asked)
            case "manifests", _:
                return self._read(asked)
            case "tags", _:
                return self._tags(asked, request)
        return None

    # Manifests

    def _refuse_put(self, asked: Asked, body: bytes) -> Response | None:
        if len(asked.reference) > _LONGEST_TAG:
            return refusal(400, "BAD_REQUEST", "invalid tag")
        if len(body) > _LARGEST_READ:
            return HTMLResponse("<html><title>502 Bad Gateway</title></html>", 502)
        if len(body) > _LARGEST_MANIFEST:
            return refusal(413, "REQUEST_ENTITY_TOO_LARGE", "http: request body too large")
        if body == b"{}":
            return refusal(500, "UNKNOWN", "unknown error")
        if asked.reference in self.immutable and self._storage.resolve(asked.path, asked.reference):
            message = f"'{asked.path}:{asked.reference}' configured as immutable."
            return refusal(412, "PRECONDITION", message)
        if missing := self._missing(asked, body):
            return refusal(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry", missing[0])
        self.uploads.without_manifest.discard(asked.path)
        return None

    def _missing(self, asked: Asked, body: bytes) -> list[str]:
        try:
            manifest = Manifest.parse(body, asked.headers.get("content-type", ""))
        except InvalidValue:
            return []
        manifests, blobs = self._storage.manifest, self._storage.blob_size
        lacking = [each for each in manifest.manifests if not manifests(asked.path, each.digest)]
        lacking += [
            each
            for each in manifest.blobs
            if not media_types.is_foreign(each.media_type)
            and blobs(asked.path, each.digest) is None
        ]
        return [str(each.digest) for each in lacking]

    def _read(self, asked: Asked) -> Response | None:
        digest = (
            Digest.parse(asked.reference)
            if asked.is_by_digest
            else self._storage.resolve(asked.path, asked.reference)
        )
        stored = digest and self._storage.manifest(asked.path, digest)
        if digest is None or stored is None:
            message = f"artifact {asked.path}:{asked.reference} not found"
            return refusal(404, "NOT_FOUND", message)
        if stored.media_type in _OCI - asked.accepted:
            what = "index" if stored.media_type == media_types.OCI_INDEX else "manifest"
            message = f"OCI {what} found, but accept header does not support OCI {what}s"
            return refusal(404, "MANIFEST_UNKNOWN", message)
        if asked.headers.get("if-none-match", "").strip('"') == str(digest):
            return Response(status_code=304)
        return _manifest(asked, digest, stored)

    def _delete(self, asked: Asked) -> Response:
        if not asked.is_by_digest:
            return refusal(400, "UNSUPPORTED", "unsupported digest v1")
        digest = Digest.parse(asked.reference)
        if self._storage.manifest(asked.path, digest) is None:
            return refusal(404, "NOT_FOUND", f"artifact {asked.path}@{digest} not found")
        tags = self._tags_of(asked.path, digest)
        if not self.immutable.isdisjoint(tags):
            return refusal(412, "PRECONDITION", f"'{tags[0]}' configured as immutable.")
        if self._has_parent(asked.path, digest):
            message = f"the artifact {digest} is referenced by other artifacts"
            return refusal(412, "VIOLATE_FOREIGN_KEY_CONSTRAINT", message)
        self._remove(asked.path, digest)
        return Response(status_code=202)

    def _remove(self, path: str, digest: Digest) -> None:
        """Remove a manifest with all its tags and all that refers to it."""
        for tag in self._tags_of(path, digest):
            self._storage.delete_tag(path, tag)
        for referrer in self._storage.referrers(path, digest):
            self._storage.remove_referrer(path, digest, referrer)
            self._remove(path, referrer)
        self._storage.delete_manifest(path, digest)

    def _tags_of(self, path: str, digest: Digest) -> list[str]:
        tags = self._storage.tags(path)
        return [tag for tag in tags if self._storage.resolve(path, tag) == digest]

    def _has_parent(self, path: str, digest: Digest) -> bool:
        for tag in self._storage.tags(path):
            parent = self._storage.resolve(path, tag)
            stored = parent and self._storage.manifest(path, parent)
            if stored:
                children = Manifest.parse(stored.content, stored.media_type).manifests
                if digest in [each.digest for each in children]:
                    return True
        return False

    # Lists

    def _tags(self, asked: Asked, request: Request) -> Response:
        query, names = request.query_params, self._storage.tags(asked.path)
        n = query.get("n")
        is_there = self._storage.has_repository(asked.path)
        if not is_there or asked.path in self.uploads.without_manifest:
            return refusal(404, "NOT_FOUND", f"repository {asked.path} not found")
        if n is not None and not n.isdigit():
            return refusal(400, "BAD_REQUEST", f"invalid n: {n}")
        names = [tag for tag in names if tag > query.get("last", "")]
        page = names if n is None else names[: int(n)]
        headers = {}
        if page and len(page) < len(names):
            place = f"/v2/{asked.path}/tags/list?last={quote(page[-1])}&n={n}"
            headers["Link"] = f'<{place}>; rel="next"'
        return JSONResponse({"name": asked.path, "tags": page}, headers=headers)


def _wrong_name(asked: Asked) -> Response | None:
    if "/" not in asked.path:
        return refusal(400, "BAD_REQUEST", f"invalid repository name {asked.path}")
    if asked.path != asked.path.lower():
        return refusal(401, "UNAUTHORIZED", "un-recognized request")
    return refusal(500, "UNKNOWN", "unknown") if len(asked.path) > _LONGEST_PATH else None


def _manifest(asked: Asked, digest: Digest, stored: StoredManifest) -> Response:
    headers = {
        "Docker-Content-Digest": str(digest),
        "Etag": f'"{digest}"',
        "Content-Type": stored.media_type,
        "Content-Length": str(len(stored.content)),
    }
    return Response(stored.content if asked.method == "GET" else b"", headers=headers)
