"""Tags that stand for digests: the referrers tag schema's, and cosign's."""

from __future__ import annotations

from typing import Final

from replicator.oci.digest import Digest
from replicator.oci.reference import Tag

# What cosign adds to the name of a digest. (sigstore/cosign, pkg/oci/remote/remote.go)
_COSIGN_SUFFIXES: Final = (".sig", ".att", ".sbom")


def schema_tag(subject: Digest) -> Tag:
    """Return the tag that lists the referrers of *subject*, its parts cut to 32 and 64 characters.

    (distribution-spec, "Referrers Tag Schema")
    """
    return Tag(f"{subject.algorithm[:32]}-{subject.hex[:64]}")


def cosign_tags(subject: Digest) -> tuple[Tag, ...]:
    """Return the tags that cosign gives to signatures, attestations and SBOMs of *subject*."""
    return tuple(Tag(f"{schema_tag(subject)}{suffix}") for suffix in _COSIGN_SUFFIXES)
