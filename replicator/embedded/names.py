"""What a request's path names, or the refusal that says why it names nothing."""

from __future__ import annotations

from starlette.requests import Request

from replicator.embedded.refusal import Refusal
from replicator.errors import InvalidDigest, InvalidReference
from replicator.oci.digest import Digest
from replicator.oci.reference import ManifestRef, RepositoryName, Tag


def repository_of(request: Request) -> str:
    """Return the repository's path, which is safe as part of a file name. Raises Refusal."""
    return parse_repository(request.path_params["name"])


def parse_repository(text: str) -> str:
    """Check the path of a repository. Raises Refusal."""
    try:
        # The limit of 255 characters is for registry and path together.
        return RepositoryName("localhost", text).path
    except InvalidReference as error:
        raise Refusal(400, "NAME_INVALID", str(error)) from None


def digest_of(request: Request) -> Digest:
    """Return the digest at the end of the path. Raises Refusal."""
    return parse_digest(request.path_params["digest"])


def parse_digest(text: str) -> Digest:
    """Read a digest. Raises Refusal."""
    try:
        return Digest.parse(text)
    except InvalidDigest as error:
        raise Refusal(400, "DIGEST_INVALID", str(error)) from None


def reference_of(request: Request) -> ManifestRef:
    """Return the tag or digest at the end of the path. Raises Refusal."""
    text: str = request.path_params["reference"]
    return parse_digest(text) if ":" in text else parse_tag(text)


def parse_tag(text: str) -> Tag:
    """Read a tag. Raises Refusal."""
    try:
        return Tag(text)
    except InvalidReference as error:
        raise Refusal(400, "TAG_INVALID", str(error)) from None
