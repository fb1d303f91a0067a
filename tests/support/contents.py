"""Everything that a tag stands for, read again byte for byte."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.support.plain_repository import PlainRepository, digest_of


class Torn(Exception):
    """Something that a manifest names is not there, or is not what its digest says."""


def contents(repository: PlainRepository, reference: str) -> frozenset[str]:
    """Read a manifest and all it names; gives every digest. Raises Torn if one is wrong.

    A missing part raises UnexpectedAnswer. Referrers are not part of what a tag stands for.
    """
    root = repository.manifest(reference)
    return frozenset(_walk(repository, digest_of(root)))


def named_by(manifest: bytes) -> tuple[list[str], list[str]]:
    """List the digests that an index or a manifest names: manifests, then blobs."""
    document = json.loads(manifest)
    if "manifests" in document:
        return [child["digest"] for child in document["manifests"]], []
    return [], [blob["digest"] for blob in (document["config"], *document["layers"])]


def _walk(repository: PlainRepository, digest: str) -> Iterator[str]:
    manifest = repository.manifest(digest)
    yield _checked(digest, manifest)
    children, blobs = named_by(manifest)
    for child in children:
        yield from _walk(repository, child)
    for blob in blobs:
        yield _checked(blob, repository.blob(blob))


def _checked(digest: str, content: bytes) -> str:
    if digest_of(content) != digest:
        raise Torn(f"{digest} has other content")
    return digest
