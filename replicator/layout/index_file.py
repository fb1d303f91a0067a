"""IndexFile: index.json, where a layout has its tags and its referrers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Self

from replicator.errors import InvalidReference, InvalidValue, LayoutError
from replicator.layout.folder import Folder
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.manifest import LARGEST_MANIFEST_SIZE
from replicator.oci.media_types import OCI_INDEX
from replicator.oci.reference import DEFAULT_TAG, Tag
from replicator.oci.strict_json import parse_json
from replicator.values import dataclass

_NAME: Final = "index.json"
# The annotation of an entry that is its tag. (image-spec, annotations.md)
_REF_NAME: Final = "org.opencontainers.image.ref.name"


@dataclass(frozen=True, slots=True)
class Entries:
    """What a layout offers: all manifests in order, and some of them by tag.

    A single manifest without a name has the default tag. A name that is no tag, such as the
    whole reference that some tools write, is none here either.
    """

    manifests: tuple[Descriptor, ...]
    tags: Mapping[Tag, Descriptor]
    by_digest: Mapping[Digest, Descriptor]

    @classmethod
    def of(cls, manifests: Sequence[Descriptor]) -> Self:
        tags: dict[Tag, Descriptor] = {}
        for manifest in manifests:
            with suppress(InvalidReference):
                tags.setdefault(Tag(manifest.annotations.get(_REF_NAME, "")), manifest)
        found = cls(tuple(manifests), tags, {each.digest: each for each in manifests})
        if found.has_default:
            tags[Tag(DEFAULT_TAG)] = manifests[0]
        return found

    @property
    def has_default(self) -> bool:
        """Whether there is a single manifest, without a name."""
        return len(self.manifests) == 1 and _REF_NAME not in self.manifests[0].annotations


class IndexFile:
    """Reads the file anew each time, as others may write it; parses it when it changed."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._parsed: tuple[bytes | None, Entries] = (None, Entries.of(()))

    def entries(self) -> Entries:
        """Return what is in the file; nothing when there is none. Raises LayoutError."""
        content = self._read()
        parsed, entries = self._parsed
        if content != parsed:
            try:
                found = [*map(Descriptor.from_json, self._body(content)["manifests"])]
            except InvalidValue as error:
                raise LayoutError(f"{self._folder}: {_NAME}: {error}") from error
            entries = Entries.of(found)
            self._parsed = content, entries
        return entries

    def put(self, manifest: Descriptor, tag: Tag | None) -> None:
        """Add an entry; with a tag it takes the place of the one that has the tag now.

        Blocks while others write. Raises LayoutError.
        """
        with self._folder.locked():
            manifests = self.entries().manifests
            place = _place_of(manifests, manifest, tag)
            if place is not None and manifests[place].digest == manifest.digest:
                return
            body = self._body(self._read())
            if place is None:
                body["manifests"].append(_entry(manifest, tag))
            else:
                body["manifests"][place] = _entry(manifest, tag)
            self._write(body)

    def remove(self, tag: Tag) -> bool:
        """Take away the entry that has the tag, and say whether there was one.

        Blocks while others write. Raises LayoutError.
        """
        with self._folder.locked():
            body = self._body(self._read())
            place = next(
                (
                    number
                    for number, each in enumerate(self.entries().manifests)
                    if each.annotations.get(_REF_NAME) == tag
                ),
                None,
            )
            if place is None:
                return False
            del body["manifests"][place]
            self._write(body)
            return True

    def _write(self, body: dict[str, Any]) -> None:
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        self._folder.replace_file(_NAME, text.encode())

    def _read(self) -> bytes | None:
        content = self._folder.read_file(_NAME, LARGEST_MANIFEST_SIZE)
        if content is not None and len(content) > LARGEST_MANIFEST_SIZE:
            raise LayoutError(
                f"{self._folder}: {_NAME} has more than {LARGEST_MANIFEST_SIZE} bytes"
            )
        return content

    def _body(self, content: bytes | None) -> dict[str, Any]:
        if content is None:
            return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
        try:
            body = parse_json(content)
        except ValueError as error:
            raise LayoutError(f"{self._folder}: {_NAME}: {error}") from None
        if isinstance(body, dict) and isinstance(body.get("manifests"), list):
            return body
        raise LayoutError(f"{self._folder}: {_NAME} is not an image index")


def _place_of(manifests: Sequence[Descriptor], manifest: Descriptor, tag: Tag | None) -> int | None:
    """Find the entry with the tag, or without one any entry of the manifest."""
    for place, each in enumerate(manifests):
        named = each.annotations.get(_REF_NAME) == tag
        if named if tag is not None else each.digest == manifest.digest:
            return place
    return None


def _entry(manifest: Descriptor, tag: Tag | None) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "mediaType": manifest.media_type,
        "digest": str(manifest.digest),
        "size": manifest.size,
    }
    return entry if tag is None else entry | {"annotations": {_REF_NAME: tag}}
