"""Reading and deleting blobs. (distribution-spec, "Pulling blobs", "Deleting Blobs")"""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from replicator.embedded.names import digest_of, repository_of
from replicator.embedded.ranges import asked_range
from replicator.embedded.refusal import Refusal
from replicator.embedded.storage import Pieces, Storage
from replicator.oci.digest import Digest
from replicator.oci.media_types import OCTET_STREAM


class Blobs:
    """The endpoints of ``/v2/<name>/blobs/<digest>``."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def head(self, request: Request) -> Response:
        repository, digest = repository_of(request), digest_of(request)
        return Response(headers=_headers(digest, self._size(repository, digest)))

    async def get(self, request: Request) -> BlobAnswer:
        repository, digest = repository_of(request), digest_of(request)
        size = self._size(repository, digest)
        asked = asked_range(request.headers.get("range", ""), size)
        start, stop = asked or (0, size)
        headers = _headers(digest, stop - start)
        if asked is not None:
            if start == stop:
                raise _not_satisfiable(size)
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        pieces = self._storage.read_blob(repository, digest, start, stop)
        return BlobAnswer(200 if asked is None else 206, headers, pieces)

    async def delete(self, request: Request) -> Response:
        digest = digest_of(request)
        if not self._storage.delete_blob(repository_of(request), digest):
            raise _unknown(digest)
        return Response(status_code=202)

    def _size(self, repository: str, digest: Digest) -> int:
        size = self._storage.blob_size(repository, digest)
        if size is None:
            raise _unknown(digest)
        return size


@dataclass(frozen=True, slots=True)
class BlobAnswer:
    """Sends a blob piece by piece, and stops reading it when the client has gone."""

    status: int
    headers: dict[str, str]
    pieces: Pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(self._start())
        async with asyncio.TaskGroup() as group:
            gone = group.create_task(_wait_until_gone(receive))
            with closing(self.pieces):
                for piece in self.pieces:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                    # A server that has lost its client takes pieces without ever waiting.
                    await asyncio.sleep(0)
                    if gone.done():
                        return
            await send({"type": "http.response.body", "body": b""})
            gone.cancel()

    def _start(self) -> Message:
        headers = [(key.encode(), value.encode()) for key, value in self.headers.items()]
        return {"type": "http.response.start", "status": self.status, "headers": headers}


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _headers(digest: Digest, length: int) -> dict[str, str]:
    return {
        "Content-Type": OCTET_STREAM,
        "Content-Length": str(length),
        "Docker-Content-Digest": str(digest),
        "Accept-Ranges": "bytes",
    }


def _unknown(digest: Digest) -> Refusal:
    return Refusal(
        404, "BLOB_UNKNOWN", "blob unknown to the repository", details=[{"digest": str(digest)}]
    )


def _not_satisfiable(size: int) -> Refusal:
    return Refusal(
        416,
        "RANGE_INVALID",
        f"the blob has {size} bytes",
        headers={"Content-Range": f"bytes */{size}"},
    )
