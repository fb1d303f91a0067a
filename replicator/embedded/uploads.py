"""Pushing blobs: whole, streamed, in chunks or by mount. (distribution-spec, "Pushing blobs")"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from replicator.embedded.names import parse_digest, parse_repository, repository_of
from replicator.embedded.ranges import sent_range
from replicator.embedded.refusal import Refusal
from replicator.embedded.sessions import Upload
from replicator.embedded.storage import Storage
from replicator.oci.digest import Digest


class Uploads:
    """The endpoints of ``/v2/<name>/blobs/uploads/``."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._open: dict[str, Upload] = {}

    async def start(self, request: Request) -> Response:
        """Mount a blob, take a whole one, or open a session, as the query says."""
        repository = repository_of(request)
        query = request.query_params
        if "mount" in query:
            digest = parse_digest(query["mount"])
            if self._mount(repository, digest, query.get("from")):
                return _created(repository, digest)
        elif "digest" in query:
            return await self._take_whole(repository, parse_digest(query["digest"]), request)
        upload = self._new_upload(repository, query.get("digest-algorithm", "sha256"))
        self._open[upload.id] = upload
        return Response(status_code=202, headers=upload.progress)

    async def status(self, request: Request) -> Response:
        upload = self._find(request)
        await upload.settle()
        return Response(status_code=204, headers=upload.progress)

    async def append(self, request: Request) -> Response:
        upload = self._find(request)
        _check_order(upload, request)
        await upload.receive(request.stream())
        return Response(status_code=202, headers=upload.progress)

    async def finish(self, request: Request) -> Response:
        upload = self._find(request)
        if "digest" not in request.query_params:
            raise Refusal(400, "DIGEST_INVALID", "the query lacks digest=")
        digest = parse_digest(request.query_params["digest"])
        _check_order(upload, request)
        upload.expect(digest)
        await upload.receive(request.stream())
        self._open.pop(upload.id, None)
        upload.finish(digest)
        return _created(upload.repository, digest)

    async def cancel(self, request: Request) -> Response:
        upload = self._find(request)
        del self._open[upload.id]
        upload.cancel()
        return Response(status_code=204)

    def _mount(self, repository: str, digest: Digest, origin: str | None) -> bool:
        """Take the blob from *origin*, or from wherever it is if the client does not say."""
        origins = self._storage.repositories() if origin is None else [parse_repository(origin)]
        return any(self._storage.mount_blob(repository, digest, name) for name in origins)

    async def _take_whole(self, repository: str, digest: Digest, request: Request) -> Response:
        upload = self._new_upload(repository, digest.algorithm)
        try:
            await upload.receive(request.stream())
        except BaseException:
            upload.cancel()
            raise
        upload.finish(digest)
        return _created(repository, digest)

    def _new_upload(self, repository: str, algorithm: str) -> Upload:
        if algorithm not in ("sha256", "sha512"):
            raise Refusal(400, "DIGEST_INVALID", f"digests of {algorithm!r} are not supported")
        return Upload(repository, self._storage.stage_blob(), algorithm)

    def _find(self, request: Request) -> Upload:
        upload = self._open.get(request.path_params["id"])
        if upload is None or upload.repository != repository_of(request):
            raise Refusal(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload")
        return upload


def _check_order(upload: Upload, request: Request) -> None:
    """Refuse bytes that do not belong at the end of what has arrived."""
    if "state" not in request.query_params:
        raise Refusal(400, "BLOB_UPLOAD_INVALID", "the query of the upload's Location is missing")
    header = request.headers.get("content-range")
    if header is None:
        if request.query_params["state"] != str(upload.offset):
            raise upload.out_of_order("this Location is out of date")
        return
    match sent_range(header):
        case (start, stop) if start == upload.offset:
            if request.headers.get("content-length", str(stop - start)) != str(stop - start):
                raise Refusal(400, "SIZE_INVALID", "Content-Range and Content-Length differ")
        case _:
            raise upload.out_of_order(f"the next byte is {upload.offset}")


def _created(repository: str, digest: Digest) -> Response:
    headers = {
        "Location": f"/v2/{repository}/blobs/{digest}",
        "Docker-Content-Digest": str(digest),
    }
    return Response(status_code=201, headers=headers)
