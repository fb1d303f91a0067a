"""An image layout on disk, written and read by the specification and without the subject.

It has the methods of PlainRepository, so that builders fill it and `contents` reads it.
(image-spec, image-layout.md)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from tests.support.media_types import OCI
from tests.support.plain_repository import Pushed, artifact_type

_REF_NAME = "org.opencontainers.image.ref.name"


class PlainLayout:
    """One layout; a context manager like a repository, though nothing has to be closed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def put_blob(self, content: bytes, media_type: str) -> Pushed:
        return self.stream_blob([content], media_type)

    def stream_blob(self, pieces: Iterable[bytes], media_type: str) -> Pushed:
        blobs = self._start()
        digest, size = hashlib.sha256(), 0
        with (blobs / "arriving").open("wb") as file:
            for piece in pieces:
                digest.update(piece)
                size += file.write(piece)
        (blobs / "arriving").rename(blobs / digest.hexdigest())
        return Pushed(media_type, f"sha256:{digest.hexdigest()}", size)

    def put_manifest(self, document: dict[str, Any], tag: str | None = None) -> Pushed:
        """Write a manifest, and list it in the index if it has a tag or a subject."""
        content = json.dumps(document, separators=(",", ":")).encode()
        pushed = self.put_blob(content, document["mediaType"])
        if tag is not None or "subject" in document:
            annotations = {} if tag is None else {"annotations": {_REF_NAME: tag}}
            self._write_index([*self._entries(), pushed.json() | annotations])
        return pushed

    def manifest(self, reference: str) -> bytes:
        return self.blob(reference if ":" in reference else self._tagged()[reference])

    def digest(self, reference: str) -> str | None:
        return self._tagged().get(reference)

    def blob(self, digest: str) -> bytes:
        return (self.folder / "blobs" / "sha256" / digest.partition(":")[2]).read_bytes()

    def tags(self) -> list[str]:
        return list(self._tagged())

    def referrers(self, digest: str) -> list[dict[str, Any]]:
        found = []
        for entry in self._entries():
            document = json.loads(self.blob(entry["digest"]))
            if document.get("subject", {}).get("digest") == digest:
                found.append(entry | {"artifactType": artifact_type(document)})
        return found

    def _tagged(self) -> dict[str, str]:
        return {
            entry["annotations"][_REF_NAME]: entry["digest"]
            for entry in self._entries()
            if _REF_NAME in entry.get("annotations", {})
        }

    def _entries(self) -> list[dict[str, Any]]:
        index = self.folder / "index.json"
        entries: list[dict[str, Any]] = (
            json.loads(index.read_bytes())["manifests"] if index.exists() else []
        )
        return entries

    def _write_index(self, entries: list[dict[str, Any]]) -> None:
        index = {"schemaVersion": 2, "mediaType": OCI.index, "manifests": entries}
        (self.folder / "index.json").write_text(json.dumps(index))

    def _start(self) -> Path:
        blobs = self.folder / "blobs" / "sha256"
        if not blobs.is_dir():
            blobs.mkdir(parents=True)
            (self.folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        return blobs
