"""Reading, pushing and deleting manifests. (distribution-spec, "Pulling manifests", "Pushing
Manifests", "Deleting tags", "Deleting Manifests")"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from replicator.embedded.names import parse_tag, reference_of, repository_of
from replicator.embedded.negotiation import is_acceptable, is_known
from replicator.embedded.refusal import Refusal
from replicator.embedded.storage import Storage, StoredManifest
from replicator.errors import InvalidValue
from replicator.oci import media_types
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.manifest import MAX_MANIFEST_SIZE, Manifest
from replicator.oci.reference import ManifestRef, Tag

# Docker schema 1 and what is nobody's manifest are refused, as other registries do.
_STORED_TYPES: Final = frozenset(media_types.MANIFEST_TYPES) - media_types.SCHEMA1_TYPES


class Manifests:
    """The endpoints of ``/v2/<name>/manifests/<reference>``."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def head(self, request: Request) -> Response:
        return self._read(request, with_body=False)

    async def get(self, request: Request) -> Response:
        return self._read(request, with_body=True)

    async def put(self, request: Request) -> Response:
        """Store a manifest once all that it needs is there, and point tags at it."""
        repository, reference = repository_of(request), reference_of(request)
        tags = _tags_to_write(reference, request)
        manifest = await _receive_manifest(reference, request)
        self._check_content(repository, manifest)

        stored = StoredManifest(manifest.media_type, manifest.content)
        self._storage.put_manifest(repository, manifest.digest, stored)
        if manifest.subject is not None:
            self._storage.add_referrer(repository, manifest.subject.digest, manifest.digest)
        for tag in tags:
            self._storage.put_tag(repository, tag, manifest.digest)
        return _created(repository, manifest, () if isinstance(reference, Tag) else tags)

    async def delete(self, request: Request) -> Response:
        """Delete a tag and leave the manifest, or a manifest with all tags that name it."""
        repository, reference = repository_of(request), reference_of(request)
        if isinstance(reference, Tag):
            found = self._storage.delete_tag(repository, reference)
        else:
            found = self._delete_manifest(repository, reference)
        if not found:
            raise _unknown(reference)
        return Response(status_code=202)

    def _read(self, request: Request, *, with_body: bool) -> Response:
        digest, manifest = self._find(repository_of(request), reference_of(request))
        if not is_acceptable(manifest.media_type, request.headers.getlist("accept")):
            raise Refusal(404, "MANIFEST_UNKNOWN", f"it is {manifest.media_type}; see Accept")
        headers = {"Docker-Content-Digest": str(digest), "ETag": f'"{digest}"'}
        if is_known(digest, request.headers.getlist("if-none-match")):
            return Response(status_code=304, headers=headers)
        headers["Content-Type"] = manifest.media_type
        headers["Content-Length"] = str(len(manifest.content))
        return Response(manifest.content if with_body else b"", headers=headers)

    def _find(self, repository: str, reference: ManifestRef) -> tuple[Digest, StoredManifest]:
        digest = (
            reference
            if isinstance(reference, Digest)
            else self._storage.resolve(repository, reference)
        )
        manifest = None if digest is None else self._storage.manifest(repository, digest)
        if digest is None or manifest is None:
            raise _unknown(reference)
        return digest, manifest

    def _check_content(self, repository: str, manifest: Manifest) -> None:
        """Refuse a manifest whose children or blobs are not all there, and name those.

        Layers that are not meant to be distributed may be missing. So may the subject.
        """
        missing = [child for child in manifest.manifests if not self._has_child(repository, child)]
        missing += [
            blob
            for blob in manifest.blobs
            if not media_types.is_foreign(blob.media_type)
            and self._storage.blob_size(repository, blob.digest) is None
        ]
        if missing:
            raise Refusal(
                400,
                "MANIFEST_BLOB_UNKNOWN",
                "the manifest names content that the repository lacks",
                details=[{"digest": str(descriptor.digest)} for descriptor in missing],
            )

    def _has_child(self, repository: str, child: Descriptor) -> bool:
        if self._storage.manifest(repository, child.digest) is not None:
            return True
        # Build caches are indexes whose children are layers.
        opaque = child.media_type not in media_types.MANIFEST_TYPES
        return opaque and self._storage.blob_size(repository, child.digest) is not None

    def _delete_manifest(self, repository: str, digest: Digest) -> bool:
        stored = self._storage.manifest(repository, digest)
        if stored is None:
            return False
        for tag in self._storage.tags(repository):
            if self._storage.resolve(repository, tag) == digest:
                self._storage.delete_tag(repository, tag)
        subject = Manifest.parse(stored.content, stored.media_type).subject
        if subject is not None:
            self._storage.remove_referrer(repository, subject.digest, digest)
        return self._storage.delete_manifest(repository, digest)


def _tags_to_write(reference: ManifestRef, request: Request) -> tuple[Tag, ...]:
    """A manifest is pushed by its tag, or by its digest with any number of ``tag=``."""
    if isinstance(reference, Tag):
        return (reference,)
    return tuple(map(parse_tag, request.query_params.getlist("tag")))


async def _receive_manifest(reference: ManifestRef, request: Request) -> Manifest:
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > MAX_MANIFEST_SIZE:
            raise Refusal(413, "MANIFEST_INVALID", f"the limit is {MAX_MANIFEST_SIZE} bytes")
    algorithm = reference.algorithm if isinstance(reference, Digest) else "sha256"
    manifest = _parse(bytes(content), request.headers.get("content-type", ""), algorithm)
    if isinstance(reference, Digest) and manifest.digest != reference:
        raise Refusal(400, "DIGEST_INVALID", f"the manifest is {manifest.digest}, not {reference}")
    return manifest


def _parse(content: bytes, content_type: str, algorithm: str) -> Manifest:
    try:
        manifest = Manifest.parse(content, content_type, algorithm=algorithm)
    except InvalidValue as error:
        raise Refusal(400, "MANIFEST_INVALID", str(error)) from None
    if manifest.media_type not in _STORED_TYPES:
        raise Refusal(400, "MANIFEST_INVALID", f"{manifest.media_type} is not supported")
    return manifest


def _created(repository: str, manifest: Manifest, tags: tuple[Tag, ...]) -> Response:
    headers = {
        "Location": f"/v2/{repository}/manifests/{manifest.digest}",
        "Docker-Content-Digest": str(manifest.digest),
    }
    if manifest.subject is not None:
        headers["OCI-Subject"] = str(manifest.subject.digest)
    response = Response(status_code=201, headers=headers)
    for tag in tags:
        response.headers.append("OCI-Tag", tag)
    return response


def _unknown(reference: ManifestRef) -> Refusal:
    return Refusal(
        404, "MANIFEST_UNKNOWN", "manifest unknown", details=[{"reference": str(reference)}]
    )
