"""MemoryStorage: repositories that are gone when the process ends."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import field

from replicator.embedded.storage import PIECE_SIZE, Bytes, Pieces, StoredManifest
from replicator.oci.digest import Digest
from replicator.values import dataclass


@dataclass(slots=True)
class _Repository:
    blobs: dict[Digest, bytearray] = field(default_factory=dict)
    manifests: dict[Digest, StoredManifest] = field(default_factory=dict)
    tags: dict[str, Digest] = field(default_factory=dict)
    referrers: defaultdict[Digest, set[Digest]] = field(default_factory=lambda: defaultdict(set))


class MemoryStorage:
    """Keeps everything in memory. A blob that several repositories hold by mounts is there once."""

    def __init__(self) -> None:
        self._repositories: dict[str, _Repository] = {}

    def repositories(self) -> list[str]:
        return sorted(self._repositories)

    def has_repository(self, repository: str) -> bool:
        return repository in self._repositories

    def stage_blob(self) -> _Staged:
        return _Staged(self)

    def blob_size(self, repository: str, digest: Digest) -> int | None:
        content = self._read(repository).blobs.get(digest)
        return None if content is None else len(content)

    def read_blob(self, repository: str, digest: Digest, start: int, stop: int) -> Pieces:
        return _slices(self._read(repository).blobs[digest], start, stop)

    def mount_blob(self, repository: str, digest: Digest, origin: str) -> bool:
        content = self._read(origin).blobs.get(digest)
        if content is not None:
            self._write(repository).blobs[digest] = content
        return content is not None

    def delete_blob(self, repository: str, digest: Digest) -> bool:
        return self._read(repository).blobs.pop(digest, None) is not None

    def manifest(self, repository: str, digest: Digest) -> StoredManifest | None:
        return self._read(repository).manifests.get(digest)

    def put_manifest(self, repository: str, digest: Digest, manifest: StoredManifest) -> None:
        self._write(repository).manifests[digest] = manifest

    def delete_manifest(self, repository: str, digest: Digest) -> bool:
        return self._read(repository).manifests.pop(digest, None) is not None

    def tags(self, repository: str) -> list[str]:
        return sorted(self._read(repository).tags)

    def resolve(self, repository: str, tag: str) -> Digest | None:
        return self._read(repository).tags.get(tag)

    def put_tag(self, repository: str, tag: str, digest: Digest) -> None:
        self._write(repository).tags[tag] = digest

    def delete_tag(self, repository: str, tag: str) -> bool:
        return self._read(repository).tags.pop(tag, None) is not None

    def referrers(self, repository: str, subject: Digest) -> list[Digest]:
        return sorted(self._read(repository).referrers.get(subject, ()))

    def add_referrer(self, repository: str, subject: Digest, referrer: Digest) -> None:
        self._write(repository).referrers[subject].add(referrer)

    def remove_referrer(self, repository: str, subject: Digest, referrer: Digest) -> None:
        self._read(repository).referrers[subject].discard(referrer)

    def _read(self, repository: str) -> _Repository:
        """Return the repository, or an empty one that nothing remembers."""
        return self._repositories.get(repository) or _Repository()

    def _write(self, repository: str) -> _Repository:
        return self._repositories.setdefault(repository, _Repository())


class _Staged:
    def __init__(self, storage: MemoryStorage) -> None:
        self._storage = storage
        self._content = bytearray()

    @property
    def size(self) -> int:
        return len(self._content)

    def append(self, piece: Bytes) -> None:
        self._content += piece

    def pieces(self) -> Pieces:
        return _slices(self._content, 0, len(self._content))

    def commit(self, repository: str, digest: Digest) -> None:
        self._storage._write(repository).blobs[digest] = self._content

    def discard(self) -> None:
        self._content = bytearray()


def _slices(content: bytearray, start: int, stop: int) -> Pieces:
    view = memoryview(content)
    for offset in range(start, stop, PIECE_SIZE):
        yield view[offset : min(offset + PIECE_SIZE, stop)]
