"""HarborUploads: upload sessions of distribution 2.8 behind Harbor, with a state in their place."""

from __future__ import annotations

import secrets

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from replicator.embedded.memory import MemoryStorage
from replicator.errors import InvalidDigest
from replicator.oci.digest import Digest
from tests.fakes.asked import OCTETS, Asked, refusal


class HarborUploads:
    """Sessions by their names; each is bound to its repository and to the newest Location.

    ``full`` are projects whose quota the next blob would exceed.
    """

    def __init__(self, storage: MemoryStorage) -> None:
        self.full: set[str] = set()
        self.without_manifest: set[str] = set()  # repositories that have had blobs alone
        self._storage = storage
        self._open: dict[str, _Session] = {}

    async def answer(self, asked: Asked, request: Request) -> Response:
        if asked.method == "POST":
            return self._start(asked, request)
        session = self._open.get(asked.reference)
        is_known = session is not None and session.path == asked.path
        if session is None or not is_known or request.query_params.get("_state") != session.state:
            return refusal(404, "BLOB_UPLOAD_INVALID", "blob upload invalid")
        match asked.method:
            case "GET" | "HEAD":
                return Response(status_code=204, headers=session.progress(request, asked))
            case "PATCH":
                return await self._append(asked, request, session)
            case "PUT":
                return await self._finish(asked, request, session)
        del self._open[asked.reference]
        return Response(status_code=204)

    def _start(self, asked: Asked, request: Request) -> Response:
        query = request.query_params
        if "mount" in query and "from" in query:
            try:
                digest, source = Digest.parse(query["mount"]), query["from"]
            except InvalidDigest:
                digest, source = None, ""
            if digest and self._storage.blob_size(source, digest) is not None:
                if self._is_full(asked):
                    return _quota()
                self._storage.mount_blob(asked.path, digest, source)
                return _created(request, asked, digest)
        if not self._storage.has_repository(asked.path):
            self.without_manifest.add(asked.path)
        name = secrets.token_hex(8)
        session = self._open[name] = _Session(asked.path, name)
        headers = session.progress(request, asked) | {"Docker-Upload-UUID": name}
        return Response(status_code=202, headers=headers)

    async def _append(self, asked: Asked, request: Request, session: _Session) -> Response:
        """Append the body, whatever range it is said to be."""
        if asked.headers.get("content-type", OCTETS) != OCTETS:
            return refusal(500, "UNKNOWN", "unknown error")
        try:
            async for piece in request.stream():
                session.content += piece
        except ClientDisconnect:
            session.state = ""  # what was written is in no Location: nobody can go on
            return Response(status_code=499)
        session.state = secrets.token_hex(8)
        return Response(status_code=202, headers=session.progress(request, asked))

    async def _finish(self, asked: Asked, request: Request, session: _Session) -> Response:
        size = len(session.content)
        try:
            async for piece in request.stream():
                session.content += piece
        except ClientDisconnect:
            session.state = ""
            return Response(status_code=499)
        digest = Digest.parse(request.query_params["digest"])
        if Digest.of(session.content, digest.algorithm) != digest:
            if len(session.content) > size:
                del self._open[asked.reference]
            return refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        if self._is_full(asked):
            return _quota()
        del self._open[asked.reference]
        digest = Digest.of(session.content)  # by sha256, whatever was asked for
        staged = self._storage.stage_blob()
        staged.append(session.content)
        staged.commit(asked.path, digest)
        return _created(request, asked, digest)

    def _is_full(self, asked: Asked) -> bool:
        return asked.path.partition("/")[0] in self.full


class _Session:
    def __init__(self, path: str, name: str) -> None:
        self.path = path
        self.content = bytearray()
        self.state = secrets.token_hex(8)
        self._name = name

    def progress(self, request: Request, asked: Asked) -> dict[str, str]:
        place = f"{request.base_url}v2/{asked.path}/blobs/uploads/{self._name}"
        return {
            "Location": f"{place}?_state={self.state}",
            "Range": f"0-{max(0, len(self.content) - 1)}",
        }


def _created(request: Request, asked: Asked, digest: Digest) -> Response:
    headers = {
        "Location": f"{request.base_url}v2/{asked.path}/blobs/{digest}",
        "Docker-Content-Digest": str(digest),
    }
    return Response(status_code=201, headers=headers)


def _quota() -> Response:
    message = (
        "adding 2.0 MiB of storage resource, which when updated to current usage of 0 B "
        "will exceed the configured upper limit of 1.0 MiB."
    )
    return refusal(403, "DENIED", message)
