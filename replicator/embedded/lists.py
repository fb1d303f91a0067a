"""Listing tags, repositories and referrers. (distribution-spec, "Content Discovery")"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from replicator.embedded.names import digest_of, repository_of
from replicator.embedded.refusal import Refusal
from replicator.embedded.storage import Storage
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.oci.media_types import OCI_INDEX

# The most entries of one page, whatever a client asks for, as with distribution.
MAX_PAGE: Final = 1000


class Lists:
    """The endpoints that list what there is."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def catalog(self, request: Request) -> Response:
        page, headers = _page(self._storage.repositories(), request)
        return JSONResponse({"repositories": page}, headers=headers)

    async def tags(self, request: Request) -> Response:
        repository = repository_of(request)
        if not self._storage.has_repository(repository):
            raise Refusal(404, "NAME_UNKNOWN", "repository unknown", details=[{"name": repository}])
        page, headers = _page(self._storage.tags(repository), request)
        return JSONResponse({"name": repository, "tags": page}, headers=headers)

    async def referrers(self, request: Request) -> Response:
        entries = self._referrers(repository_of(request), digest_of(request))
        headers = {}
        wanted = request.query_params.get("artifactType")
        if wanted:
            entries = [entry for entry in entries if entry.artifact_type == wanted]
            headers["OCI-Filters-Applied"] = "artifactType"
        index = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [_descriptor_json(entry) for entry in entries],
        }
        return JSONResponse(index, headers=headers, media_type=OCI_INDEX)

    def _referrers(self, repository: str, subject: Digest) -> list[Descriptor]:
        entries = []
        for digest in self._storage.referrers(repository, subject):
            stored = self._storage.manifest(repository, digest)
            if stored is not None:
                manifest = Manifest.parse(
                    stored.content, stored.media_type, algorithm=digest.algorithm
                )
                entries.append(manifest.as_referrer())
        return entries


def _page(names: list[str], request: Request) -> tuple[list[str], dict[str, str]]:
    """Return the page that *n* and *last* ask for, and the link to the one after it.

    *names* are in order; *last* need not be among them. Without *n* everything is one page.
    """
    query = request.query_params
    if "last" in query:
        names = names[bisect_right(names, query["last"]) :]
    if "n" not in query:
        return names, {}
    size = _page_size(query["n"])
    page = names[:size]
    if not page or len(names) == len(page):
        return page, {}
    return page, {"Link": f'<{request.url.path}?last={quote(page[-1])}&n={size}>; rel="next"'}


def _page_size(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise Refusal(400, "PAGINATION_NUMBER_INVALID", "n is not a number", details=[{"n": text}])
    return min(int(text[:9]), MAX_PAGE)


def _descriptor_json(entry: Descriptor) -> dict[str, Any]:
    value: dict[str, Any] = {
        "mediaType": entry.media_type,
        "digest": str(entry.digest),
        "size": entry.size,
    }
    if entry.artifact_type:
        value["artifactType"] = entry.artifact_type
    if entry.annotations:
        value["annotations"] = dict(entry.annotations)
    return value
