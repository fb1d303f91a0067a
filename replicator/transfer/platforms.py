"""The part of an index that is made for some platforms, as an index of our own."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any, Final

from replicator.errors import InvalidManifest, TransferFailed
from replicator.oci import media_types
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.oci.platform import Platform
from replicator.oci.strict_json import parse_json
from replicator.transfer.graph import MAX_DEPTH
from replicator.transfer.manifest_reader import ManifestReader
from replicator.transfer.sides import SOURCE, reading_source

# BuildKit puts an image's provenance and SBOM beside it, as a child of no platform that names
# the image by this annotation.
ATTESTED: Final = "vnd.docker.reference.digest"


async def select_platforms(
    reader: ManifestReader, index: Manifest, wanted: Sequence[Platform]
) -> Manifest:
    """Return *index* with those children alone that are made for *wanted* platforms.

    Order, annotations and media types stay; an attestation stays with the image it is about. An
    index without a platform of its own is looked into. What is made here is known to *reader*.
    When nothing has to go, *index* comes back as it is. Raises TransferFailed when no child
    fits. (image-spec, image-index.md)
    """
    selection = _Selection(reader, wanted)
    selected = await selection.select(index, MAX_DEPTH)
    if selected is None:
        raise no_image_for(wanted, selection.seen)
    return selected


def no_image_for(wanted: Sequence[Platform], seen: Collection[Platform]) -> TransferFailed:
    """Say that of the platforms that were *seen* none is *wanted*."""
    there = ", ".join(map(str, sorted(seen))) or "none that is named"
    return TransferFailed(
        f"no image for {', '.join(map(str, wanted))}; there is: {there}", side=SOURCE
    )


class _Selection:
    def __init__(self, reader: ManifestReader, wanted: Sequence[Platform]) -> None:
        self._reader = reader
        self._wanted = wanted
        self._selected: dict[Digest, Manifest | None] = {}
        self.seen: set[Platform] = set()

    async def select(self, index: Manifest, depth: int) -> Manifest | None:
        """Return what is left of *index*, None if nothing is.

        Each index is looked into once: a few that list each other many times lead to it in more
        ways than anybody could go.
        """
        if index.digest not in self._selected:
            self._selected[index.digest] = await self._select(index, depth)
        return self._selected[index.digest]

    async def _select(self, index: Manifest, depth: int) -> Manifest | None:
        body = parse_json(index.content)
        listed = list(zip(index.manifests, body["manifests"], strict=True))
        # By place: one image may be listed for several platforms.
        kept = [await self._entry(child, entry, depth) for child, entry in listed]
        digests = {
            str(child.digest) for (child, _), entry in zip(listed, kept, strict=True) if entry
        }
        children = [
            stays or entry
            for (child, entry), stays in zip(listed, kept, strict=True)
            if stays or _attested(child) in digests
        ]
        if not digests:
            return None
        return index if children == body["manifests"] else self._made(index, body, children)

    async def _entry(
        self, child: Descriptor, entry: dict[str, Any], depth: int
    ) -> dict[str, Any] | None:
        """Return the entry that stands for *child* in the new index, None to leave it out."""
        if _attested(child) is not None:
            return None
        if child.platform is None and child.media_type in media_types.INDEXES:
            return await self._nested_entry(child, entry, depth - 1)
        if child.platform is None:
            return None
        self.seen.add(child.platform)
        fits = any(platform.matches(child.platform) for platform in self._wanted)
        return entry if fits else None

    async def _nested_entry(
        self, child: Descriptor, entry: dict[str, Any], depth: int
    ) -> dict[str, Any] | None:
        if not depth:
            with reading_source():
                raise InvalidManifest(f"manifests are nested more than {MAX_DEPTH} deep")
        selected = await self.select(await self._reader.read(child.digest), depth)
        if selected is None:
            return None
        return entry | {"digest": str(selected.digest), "size": selected.descriptor.size}

    def _made(
        self, index: Manifest, body: dict[str, Any], children: list[dict[str, Any]]
    ) -> Manifest:
        text = json.dumps(body | {"manifests": children}, ensure_ascii=False, separators=(",", ":"))
        made = Manifest.parse(text.encode(), index.media_type, algorithm=index.digest.algorithm)
        self._reader.keep(made, instead_of=index.digest)
        return made


def _attested(child: Descriptor) -> str | None:
    return child.annotations.get(ATTESTED)
