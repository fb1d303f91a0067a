"""QuayUploads: upload sessions as Quay has them, each at one place, with a count of their own."""

from __future__ import annotations

import re
import secrets

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from replicator.embedded.memory import MemoryStorage
from replicator.errors import InvalidDigest
from replicator.oci.digest import Digest
from tests.fakes.asked import Asked, refusal

_RANGE = re.compile(r"(\d+)-(\d+)")


class QuayUploads:
    """Sessions by their names, which are not bound to a repository."""

    def __init__(self, storage: MemoryStorage) -> None:
        self._storage = storage
        self._open: dict[str, bytearray] = {}

    async def answer(self, asked: Asked, request: Request) -> Response:
        if asked.method == "POST":
            return await self._start(asked, request)
        content = self._open.get(asked.reference)
        if content is None:
            return refusal(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
        match asked.method:
            case "GET" | "HEAD":
                # One too high, and without a Location.
                return Response(status_code=204, headers={"Range": f"bytes=0-{len(content)}"})
            case "PATCH":
                return await self._append(asked, request, content)
            case "PUT":
                return await self._finish(asked, request, content)
        del self._open[asked.reference]
        return Response(status_code=204)

    async def _start(self, asked: Asked, request: Request) -> Response:
        query = request.query_params
        if "mount" in query:
            if self._mounted(asked, query["mount"], query.get("from", "")):
                return _created(asked.path, query["mount"])
        elif "digest" in query:
            return self._committed(asked, bytearray(await request.body()), query["digest"])
        name = secrets.token_hex(8)
        self._open[name] = bytearray()
        headers = {
            "Location": f"{request.base_url}v2/{asked.path}/blobs/uploads/{name}",
            "Range": "bytes=0--1",
            "Docker-Upload-UUID": name,
        }
        return Response(status_code=202, headers=headers)

    def _mounted(self, asked: Asked, digest: str, source: str) -> bool:
        try:
            return self._storage.mount_blob(asked.path, Digest.parse(digest), source)
        except InvalidDigest:
            return False

    async def _append(self, asked: Asked, request: Request, content: bytearray) -> Response:
        text, count = asked.headers.get("content-range"), len(content)
        where = str(request.url)
        match = _RANGE.fullmatch(text) if text is not None else None
        if text is not None and match is None:
            return refusal(400, "INVALID_REQUEST", "Invalid Content-Range")
        start = int(match[1]) if match else 0
        end = int(match[2]) + 1 if match else None
        if start > count:
            return Response(status_code=416, headers={"Location": where, "Range": f"0-{count}"})
        if end is not None and start and end < count:
            return Response("<html>Bad Gateway</html>", 502, media_type="text/html")
        # With chunked coding, what a broken request brought is lost.
        kept = bytearray() if "content-length" not in asked.headers else content
        try:
            await _receive(
                request, kept, skip=count - start if start else 0, end=end and end - start
            )
        except ClientDisconnect:
            return Response(status_code=499)
        if kept is not content:
            content += kept
        headers = {"Location": where, "Range": f"0-{max(0, len(content) - 1)}"}
        return Response(status_code=202, headers=headers)

    async def _finish(self, asked: Asked, request: Request, content: bytearray) -> Response:
        del self._open[asked.reference]
        try:
            await _receive(request, content)
        except ClientDisconnect:
            return Response(status_code=499)
        return self._committed(asked, content, request.query_params.get("digest", ""))

    def _committed(self, asked: Asked, content: bytearray, digest: str) -> Response:
        if not digest.startswith("sha256:") or str(Digest.of(content)) != digest:
            return refusal(400, "BLOB_UPLOAD_INVALID", "blob upload invalid")
        staged = self._storage.stage_blob()
        staged.append(content)
        staged.commit(asked.path, Digest.of(content))
        return _created(asked.path, digest)


async def _receive(
    request: Request, content: bytearray, *, skip: int = 0, end: int | None = None
) -> None:
    """Append what comes, but for the first *skip* bytes and those from *end* on."""
    at = 0
    async for piece in request.stream():
        begin, stop = max(0, skip - at), len(piece) if end is None else max(0, end - at)
        content += piece[begin:stop]
        at += len(piece)


def _created(path: str, digest: str) -> Response:
    headers = {"Location": f"/v2/{path}/blobs/{digest}", "Docker-Content-Digest": digest}
    return Response(status_code=201, headers=headers)
