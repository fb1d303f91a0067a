"""What refers to an index that was cut down, made to refer to the index that is written instead.

A referrer names its subject by digest, so it becomes another manifest, of our own making. That is
right for what describes an image, such as an SBOM. What signs or attests to a digest says nothing
about another one, and stays behind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any, Final

from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.oci.reference import Tag
from replicator.oci.strict_json import parse_json
from replicator.transfer.referrers import Attachment, Waves
from replicator.values import dataclass

# The annotation by which a manifest that we made says which one it was made from.
REPOINTED_FROM: Final = "replicator.repointed-from"

# Words of media types whose content vouches for a digest: cosign, sigstore, notation, in-toto.
# fmt: off
_VOUCHING: Final = frozenset((
    "attestation", "attestations", "cose", "dsse", "jose", "notary", "pgp", "pkcs7", "sig",
    "signature", "signatures", "sigstore", "simplesigning", "toto", "vsa",
))
# fmt: on
_WORD: Final = r"[a-z0-9]+"
# Of cosign's tags, the one whose content does not name the image.
_DESCRIBING_SUFFIX: Final = ".sbom"


@dataclass(frozen=True, slots=True)
class Repointed:
    """Attachments that refer to an index of our own; *left_behind* is how many could not."""

    waves: Waves
    left_behind: int

    @property
    def number(self) -> int:
        return sum(map(len, self.waves))


def repoint(waves: Waves, replaced: Mapping[Digest, Manifest]) -> Repointed:
    """Make the attachments in *waves* refer to what *replaced* their subjects.

    What refers to one that is left behind is left behind with it.
    """
    now: dict[Digest, Manifest] = dict(replaced)
    made: list[tuple[Attachment, ...]] = []
    for wave in waves:
        can = [each for each in wave if _can(each, now)]
        moved = tuple(_moved(each, now[each.subject]) for each in can)
        now |= {old.root.digest: new.root for old, new in zip(can, moved, strict=True)}
        made.append(moved)
    number = sum(map(len, made))
    return Repointed(tuple(filter(None, made)), sum(map(len, waves)) - number)


def vouches(*types: str) -> bool:
    """Say whether content of one of these media types is about one digest and no other."""
    return any(_VOUCHING.intersection(re.findall(_WORD, each.lower())) for each in types)


def _can(attachment: Attachment, replaced: Mapping[Digest, Manifest]) -> bool:
    if attachment.subject not in replaced:
        return False
    if attachment.tag is not None:
        return attachment.tag.endswith(_DESCRIBING_SUFFIX)
    return not vouches(*_types(attachment))


def _types(attachment: Attachment) -> Iterator[str]:
    for manifest in (attachment.root, *chain.from_iterable(attachment.graph.levels)):
        yield manifest.artifact_type
        yield from (blob.media_type for blob in manifest.blobs)


def _moved(attachment: Attachment, subject: Manifest) -> Attachment:
    if attachment.tag is not None:
        name = f"{subject.digest.algorithm}-{subject.digest.hex}{_DESCRIBING_SUFFIX}"
        return replace(attachment, subject=subject.digest, tag=Tag(name))
    root = _referring(attachment.root, subject)
    return Attachment(subject.digest, replace(attachment.graph, root=root))


def _referring(referrer: Manifest, subject: Manifest) -> Manifest:
    """Return *referrer* with another *subject*, and a word about where it comes from."""
    body: dict[str, Any] = parse_json(referrer.content)
    body["subject"] = {
        "mediaType": subject.media_type,
        "digest": str(subject.digest),
        "size": subject.descriptor.size,
    }
    body["annotations"] = {
        **(body.get("annotations") or {}),
        REPOINTED_FROM: str(referrer.digest),
    }
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Manifest.parse(text.encode(), referrer.media_type, algorithm=referrer.digest.algorithm)
