"""QuayHabits: what Quay's ``/v2`` does otherwise than the specification has it, as measured."""

from __future__ import annotations

import gzip
import json
import re
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Scope

from replicator.embedded.memory import MemoryStorage
from replicator.embedded.storage import StoredManifest
from replicator.errors import InvalidValue
from replicator.oci import media_types
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from tests.fakes.asked import OCTETS, Asked, answering, parsed, refusal, with_headers
from tests.fakes.quay_uploads import QuayUploads

_LARGEST_PAGE = 100
_LARGEST_MANIFEST = 1 << 20
_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+json"
_NUMBER = re.compile(r"-?\d+")


class QuayHabits:
    """``immutable`` are tags that may not be moved, ``full`` namespaces over their quota."""

    def __init__(self, storage: MemoryStorage) -> None:
        self.immutable: set[str] = set()
        self.full: set[str] = set()
        self.is_read_only = False
        self._storage = storage
        self._uploads = QuayUploads(storage)
        # What was put by digest is visible for an hour; what a tag was deleted from, is told.
        self._recent: set[tuple[str, Digest]] = set()
        self._expired: set[tuple[str, str]] = set()

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Put the habits around the registry, behind its guard."""
        return answering(self._answer)(app)

    def front(self, app: ASGIApp) -> ASGIApp:
        """Put in front what concerns every answer: connections end, but for manifests'."""
        return with_headers(_zipping(app), _change)

    def forget(self) -> None:
        """Let the hour pass."""
        self._recent.clear()

    async def _answer(self, asked: Asked, request: Request) -> Response | None:
        if not asked.reads and self.is_read_only:
            message = "System is currently read-only. Pulls will succeed but all write operations"
            return refusal(405, "DENIED", message, {"is_readonly": True})
        match asked.kind, asked.method:
            case "uploads", "POST" if self._is_full(asked):
                return _quota()
            case "uploads", _:
                return await self._uploads.answer(asked, request)
            case "blobs", "DELETE":
                return refusal(405, "UNSUPPORTED", "The operation is unsupported.")
            case "blobs", _:
                return self._blob(asked)
            case "manifests", "PUT":
                return await self._put(asked, await request.body())
            case "manifests", "DELETE":
                return self._delete(asked)
            case "manifests", _:
                return self._read(asked)
            case "tags", _:
                return self._tags(asked, request)
        return self._referrers(asked)

    def _is_full(self, asked: Asked) -> bool:
        return asked.path.partition("/")[0] in self.full

    def _blob(self, asked: Asked) -> Response | None:
        """Send all of it, whatever range was asked for."""
        size = self._storage.blob_size(asked.path, Digest.parse(asked.reference))
        if size is None:
            return None
        content = b"".join(
            self._storage.read_blob(asked.path, Digest.parse(asked.reference), 0, size)
        )
        headers = {"Content-Length": str(size), "Docker-Content-Digest": asked.reference}
        body = content if asked.method == "GET" else b""
        return Response(body, media_type=OCTETS, headers=headers)

    # Manifests

    async def _put(self, asked: Asked, body: bytes) -> Response | None:
        kind = asked.headers.get("content-type", "")
        if ";" in kind:
            return refusal(415, "MANIFEST_INVALID", "manifest invalid")
        if len(body) > _LARGEST_MANIFEST:
            return HTMLResponse("<html><title>413 Request Entity Too Large</title></html>", 413)
        if (wrong := self._wrong(asked, body, kind)) is not None:
            return refusal(400, "MANIFEST_INVALID", "manifest invalid", {"message": wrong})
        digest = Digest.of(body)
        if asked.is_by_digest and asked.reference != str(digest):
            message = "manifest digest mismatch"
            return refusal(400, "MANIFEST_INVALID", "manifest invalid", {"message": message})
        if asked.reference in self.immutable and self._storage.resolve(asked.path, asked.reference):
            return refusal(409, "TAG_IMMUTABLE", f"Tag {asked.reference} is immutable")
        if self._is_full(asked):
            return _quota()
        self._store(asked, kind, body)
        return Response(
            "OK",
            201,
            headers={
                "Location": f"/v2/{asked.path}/manifests/{digest}",
                "Docker-Content-Digest": str(digest),
            },
        )

    def _wrong(self, asked: Asked, body: bytes, kind: str) -> str | None:
        """Say what is wrong with a manifest; it repeats the whole of it where that is its form."""
        try:
            manifest = Manifest.parse(body, kind)
            is_known = manifest.media_type not in media_types.SCHEMA1_TYPES
            is_known = is_known and parsed(body).get("schemaVersion") == 2
        except InvalidValue as error:
            return f"{error}: {body.decode(errors='replace')}"
        if not is_known or not kind:
            return f"unknown manifest type: {body.decode(errors='replace')}"
        for child in manifest.manifests:
            if self._storage.manifest(asked.path, child.digest) is None:
                return f"Could not find child manifest with digest `{child.digest}`"
        for blob in manifest.blobs:
            has_blob = self._storage.blob_size(asked.path, blob.digest) is not None
            if not has_blob and not _may_be_missing(manifest, blob.media_type):
                return f"Unknown blob `{blob.digest}`"
        if manifest.media_type == media_types.DOCKER_MANIFEST and manifest.config is not None:
            return self._wrong_config(asked.path, manifest.config.digest)
        return None

    def _wrong_config(self, path: str, digest: Digest) -> str | None:
        size = self._storage.blob_size(path, digest) or 0
        config = parsed(b"".join(self._storage.read_blob(path, digest, 0, size)))
        has_history = isinstance(config, dict) and "history" in config
        return None if has_history else "'history' is a required property"

    def _store(self, asked: Asked, kind: str, body: bytes) -> None:
        manifest = Manifest.parse(body, kind)
        stored = StoredManifest(manifest.media_type, body)
        self._storage.put_manifest(asked.path, manifest.digest, stored)
        if manifest.subject is not None:
            self._storage.add_referrer(asked.path, manifest.subject.digest, manifest.digest)
        if asked.is_by_digest:
            self._recent.add((asked.path, manifest.digest))
        else:
            self._storage.put_tag(asked.path, asked.reference, manifest.digest)
            self._expired.discard((asked.path, asked.reference))

    def _read(self, asked: Asked) -> Response | None:
        if asked.is_by_digest:
            digest: Digest | None = Digest.parse(asked.reference)
            if digest not in self._visible(asked.path):
                digest = None
        else:
            digest = self._storage.resolve(asked.path, asked.reference)
        if digest is None:
            return self._unknown(asked)
        stored = self._storage.manifest(asked.path, digest)
        assert stored is not None
        if not asked.is_by_digest and stored.media_type not in asked.accepted:
            return self._converted(asked, digest, stored)
        return _manifest(asked, digest, stored)

    def _converted(self, asked: Asked, digest: Digest, stored: StoredManifest) -> Response:
        """Send another manifest to who does not take the one that the tag names."""
        manifest = Manifest.parse(stored.content, stored.media_type)
        if manifest.is_index:
            amd64 = [
                child
                for child in manifest.manifests
                if child.platform and child.platform.architecture == "amd64"
            ]
            if not amd64:
                return self._unknown(asked)
            digest = amd64[0].digest
            found = self._storage.manifest(asked.path, digest)
            assert found is not None
            if found.media_type in asked.accepted:
                return _manifest(asked, digest, found)
        body = {"schemaVersion": 1, "name": asked.path, "tag": asked.reference, "fsLayers": []}
        content = json.dumps(body).encode()
        return _manifest(asked, Digest.of(content), StoredManifest(_SCHEMA_1, content))

    def _unknown(self, asked: Asked) -> Response:
        if (asked.path, asked.reference) in self._expired:
            message = f"Tag {asked.reference} was deleted or has expired."
            return refusal(404, "TAG_EXPIRED", message)
        if not self._storage.has_repository(asked.path):
            return refusal(404, "NAME_UNKNOWN", "repository name not known to registry")
        return refusal(404, "MANIFEST_UNKNOWN", "manifest unknown")

    def _visible(self, path: str) -> set[Digest]:
        """Return what tags hold, what was put within the hour, and what belongs to those."""
        found: set[Digest] = {digest for each, digest in self._recent if each == path}
        found |= {
            digest
            for tag in self._storage.tags(path)
            if (digest := self._storage.resolve(path, tag)) is not None
        }
        new = set(found)
        while new:
            new = {each for digest in new for each in self._held_by(path, digest)} - found
            found |= new
        return found

    def _held_by(self, path: str, digest: Digest) -> set[Digest]:
        stored = self._storage.manifest(path, digest)
        if stored is None:
            return set()
        children = Manifest.parse(stored.content, stored.media_type).manifests
        return {each.digest for each in children} | set(self._storage.referrers(path, digest))

    def _delete(self, asked: Asked) -> Response:
        tags = [asked.reference]
        if asked.is_by_digest:
            digest = Digest.parse(asked.reference)
            every = self._storage.tags(asked.path)
            tags = [tag for tag in every if self._storage.resolve(asked.path, tag) == digest]
        if not tags or self._storage.resolve(asked.path, tags[0]) is None:
            return refusal(404, "MANIFEST_UNKNOWN", "manifest unknown")
        if not self.immutable.isdisjoint(tags):
            return refusal(409, "TAG_IMMUTABLE", f"Tag {tags[0]} is immutable")
        for tag in tags:
            self._storage.delete_tag(asked.path, tag)
            self._expired.add((asked.path, tag))
        return Response(status_code=202)

    # Lists

    def _tags(self, asked: Asked, request: Request) -> Response | None:
        if not self._storage.has_repository(asked.path):
            return None
        query = request.query_params
        text, last = query.get("n", ""), query.get("last", "")
        wanted = int(text) if _NUMBER.fullmatch(text) else _LARGEST_PAGE
        size = min(max(0, wanted), _LARGEST_PAGE)
        names = [tag for tag in self._storage.tags(asked.path) if tag > last]
        headers = {}
        if 0 < size < len(names):
            place = f"/v2/{asked.path}/tags/list?n={size}&last={quote(names[size - 1])}"
            headers["Link"] = f'<{place}>; rel="next"'
        return JSONResponse({"name": asked.path, "tags": names[:size]}, headers=headers)

    def _referrers(self, asked: Asked) -> Response | None:
        if Digest.parse(asked.reference) in self._visible(asked.path):
            return None
        return refusal(400, "MANIFEST_INVALID", "manifest invalid")


def _may_be_missing(manifest: Manifest, media_type: str) -> bool:
    """Foreign layers may, where manifest and layer are of one family."""
    is_docker = manifest.media_type == media_types.DOCKER_MANIFEST
    return media_types.is_foreign(media_type) and is_docker == ("docker" in media_type)


def _manifest(asked: Asked, digest: Digest, stored: StoredManifest) -> Response:
    headers = {
        "Docker-Content-Digest": str(digest),
        "Content-Type": stored.media_type,
        "Content-Length": str(len(stored.content)),
    }
    return Response(stored.content if asked.method == "GET" else b"", headers=headers)


def _quota() -> Response:
    return refusal(403, "DENIED", "Quota has been exceeded on namespace")


def _change(scope: Scope, status: int, headers: Any) -> None:
    if "/manifests/" not in scope["path"]:
        headers["Connection"] = "close"


def _zipping(app: ASGIApp) -> ASGIApp:
    """Code blobs for whoever takes that, as its nginx does."""

    async def zipping(scope: Scope, receive: Any, send: Any) -> None:
        asked = Asked.of(scope)
        takes = asked is not None and "gzip" in asked.headers.get("accept-encoding", "")
        if asked is None or asked.kind != "blobs" or not takes or asked.method != "GET":
            await app(scope, receive, send)
            return
        body = bytearray()
        start: dict[str, Any] = {}

        async def collect(message: Any) -> None:
            start.update(message if message["type"] == "http.response.start" else {})
            body.extend(message.get("body", b""))

        await app(scope, receive, collect)
        gone = (b"content-length", b"connection")
        headers = [each for each in start["headers"] if each[0].lower() not in gone]
        if start["status"] == 200:
            headers.append((b"content-encoding", b"gzip"))
            body = bytearray(gzip.compress(bytes(body)))
        await send({**start, "headers": headers})
        await send({"type": "http.response.body", "body": bytes(body)})

    return zipping
