"""Whether the client wants what there is: Accept and If-None-Match. (RFC 9110)"""

from __future__ import annotations

from collections.abc import Iterable

from replicator.oci.digest import Digest
from replicator.oci.media_types import without_parameters


def is_acceptable(media_type: str, headers: Iterable[str]) -> bool:
    """Say whether *media_type* is among the types of the Accept *headers*; none means any."""
    accepted = {without_parameters(item) for header in headers for item in header.split(",")} - {""}
    return not accepted or not accepted.isdisjoint({media_type, "*/*", "application/*"})


def is_known(digest: Digest, headers: Iterable[str]) -> bool:
    """Say whether the If-None-Match *headers* name *digest*; clients leave out the quotes."""
    tags = {item.strip() for header in headers for item in header.split(",")}
    return "*" in tags or str(digest) in {tag.removeprefix("W/").strip('"') for tag in tags}
