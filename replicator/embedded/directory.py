"""DirectoryStorage: repositories as plain files, which a restart finds again."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from replicator.embedded.storage import PIECE_SIZE, Bytes, Pieces, StoredManifest
from replicator.oci.digest import Digest

# Inside a repository's folder. No part of a repository's name begins with an underscore, so
# these never meet a repository below it. (distribution-spec, "Pulling manifests")
_BLOBS: Final = "_blobs"
_MANIFESTS: Final = "_manifests"
_TAGS: Final = "_tags"
_REFERRERS: Final = "_referrers"


class DirectoryStorage:
    """Keeps each repository in a folder of its own below *root*.

    A blob is one file under ``_blobs``, a mounted one a hard link to it, so that a file lives as
    long as some repository has it. A manifest's file is its media type, a line feed and its
    content. Every file is written elsewhere and renamed, so it is either whole or not there.
    Uploads that were under way when the process ended are forgotten.
    """

    def __init__(self, root: Path) -> None:
        self._repositories = root / "repositories"
        self._staging = root / "staging"
        shutil.rmtree(self._staging, ignore_errors=True)
        self._staging.mkdir(parents=True)
        self._repositories.mkdir(exist_ok=True)

    def repositories(self) -> list[str]:
        return sorted(_find_repositories(self._repositories))

    def has_repository(self, repository: str) -> bool:
        return _is_repository(self._repositories / repository)

    def stage_blob(self) -> _Staged:
        return _Staged(self, self._temporary())

    def blob_size(self, repository: str, digest: Digest) -> int | None:
        try:
            return self._path(repository, _BLOBS, digest).stat().st_size
        except FileNotFoundError:
            return None

    def read_blob(self, repository: str, digest: Digest, start: int, stop: int) -> Pieces:
        return _read_file(self._path(repository, _BLOBS, digest), start, stop)

    def mount_blob(self, repository: str, digest: Digest, origin: str) -> bool:
        if self.blob_size(origin, digest) is None:
            return False
        target = self._path(repository, _BLOBS, digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.link(self._path(origin, _BLOBS, digest), target)
        return True

    def delete_blob(self, repository: str, digest: Digest) -> bool:
        return _delete(self._path(repository, _BLOBS, digest))

    def manifest(self, repository: str, digest: Digest) -> StoredManifest | None:
        try:
            stored = self._path(repository, _MANIFESTS, digest).read_bytes()
        except FileNotFoundError:
            return None
        media_type, _, content = stored.partition(b"\n")
        return StoredManifest(media_type.decode(), content)

    def put_manifest(self, repository: str, digest: Digest, manifest: StoredManifest) -> None:
        stored = manifest.media_type.encode() + b"\n" + manifest.content
        self._write(self._path(repository, _MANIFESTS, digest), stored)

    def delete_manifest(self, repository: str, digest: Digest) -> bool:
        return _delete(self._path(repository, _MANIFESTS, digest))

    def tags(self, repository: str) -> list[str]:
        return sorted(_list(self._repositories / repository / _TAGS))

    def resolve(self, repository: str, tag: str) -> Digest | None:
        try:
            return Digest.parse((self._repositories / repository / _TAGS / tag).read_text())
        except FileNotFoundError:
            return None

    def put_tag(self, repository: str, tag: str, digest: Digest) -> None:
        self._write(self._repositories / repository / _TAGS / tag, str(digest).encode())

    def delete_tag(self, repository: str, tag: str) -> bool:
        return _delete(self._repositories / repository / _TAGS / tag)

    def referrers(self, repository: str, subject: Digest) -> list[Digest]:
        folder = self._path(repository, _REFERRERS, subject)
        return sorted(
            Digest(algorithm, value)
            for algorithm in _list(folder)
            for value in _list(folder / algorithm)
        )

    def add_referrer(self, repository: str, subject: Digest, referrer: Digest) -> None:
        self._write(self._referrer(repository, subject, referrer), b"")

    def remove_referrer(self, repository: str, subject: Digest, referrer: Digest) -> None:
        _delete(self._referrer(repository, subject, referrer))

    def _path(self, repository: str, kind: str, digest: Digest) -> Path:
        return self._repositories / repository / kind / digest.algorithm / digest.hex

    def _referrer(self, repository: str, subject: Digest, referrer: Digest) -> Path:
        folder = self._path(repository, _REFERRERS, subject)
        return folder / referrer.algorithm / referrer.hex

    def _temporary(self) -> Path:
        return self._staging / secrets.token_hex(16)

    def _write(self, path: Path, content: bytes) -> None:
        temporary = self._temporary()
        temporary.write_bytes(content)
        _move(temporary, path)


class _Staged:
    """A file that is opened for each piece: uploads that are left lying hold nothing open."""

    def __init__(self, storage: DirectoryStorage, path: Path) -> None:
        self._storage = storage
        self._path = path
        self.size = 0
        path.touch()

    def append(self, piece: Bytes) -> None:
        with self._path.open("r+b") as file:
            # A piece that failed, such as on a full disk, may have left a part of itself.
            file.seek(self.size)
            file.write(piece)
        self.size += len(piece)

    def pieces(self) -> Pieces:
        return _read_file(self._path, 0, self.size)

    def commit(self, repository: str, digest: Digest) -> None:
        os.truncate(self._path, self.size)
        _move(self._path, self._storage._path(repository, _BLOBS, digest))

    def discard(self) -> None:
        self._path.unlink(missing_ok=True)


def _find_repositories(root: Path) -> Iterator[str]:
    for folder, below, _ in os.walk(root):
        if _is_repository(Path(folder)):
            yield Path(folder).relative_to(root).as_posix()
        below[:] = [name for name in below if not name.startswith("_")]


def _is_repository(folder: Path) -> bool:
    return (folder / _BLOBS).is_dir() or (folder / _MANIFESTS).is_dir()


def _read_file(path: Path, start: int, stop: int) -> Pieces:
    with path.open("rb") as file:
        file.seek(start)
        while start < stop and (piece := file.read(min(PIECE_SIZE, stop - start))):
            start += len(piece)
            yield piece


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)


def _delete(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def _list(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []
