"""What the server needs from a place that keeps repositories."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, NamedTuple, Protocol, TypeAlias

from replicator.oci.digest import Digest

# In bytes; what is read from a blob at a time. A socket takes about as much at once.
PIECE_SIZE: Final = 256 * 1024

Bytes: TypeAlias = bytes | bytearray | memoryview
# Whoever does not read to the end closes it, as it may hold a file open.
Pieces: TypeAlias = Generator[Bytes, None, None]


class StoredManifest(NamedTuple):
    """A manifest as it was pushed."""

    media_type: str
    content: bytes


class StagedBlob(Protocol):
    """A blob that is still arriving; nobody can read it before it is committed."""

    @property
    def size(self) -> int:
        """The number of bytes that have arrived."""
        ...

    def append(self, piece: Bytes) -> None: ...

    def pieces(self) -> Pieces:
        """Read what has arrived."""
        ...

    def commit(self, repository: str, digest: Digest) -> None:
        """Make it a blob of *repository*, all at once; the caller has checked *digest*."""
        ...

    def discard(self) -> None: ...


class Storage(Protocol):
    """Keeps blobs, manifests and tags, each by repository.

    A repository exists once it holds something, and stays when it is emptied. Methods that
    remove or mount say whether there was something to remove or mount. They are plain functions
    and not coroutines: memory and local files answer sooner than a thread would wake up.
    """

    def repositories(self) -> list[str]: ...

    def has_repository(self, repository: str) -> bool: ...

    def stage_blob(self) -> StagedBlob: ...

    def blob_size(self, repository: str, digest: Digest) -> int | None:
        """Return the size in bytes, None when the repository lacks the blob."""
        ...

    def read_blob(self, repository: str, digest: Digest, start: int, stop: int) -> Pieces:
        """Read the bytes from *start* up to *stop* of a blob that is there."""
        ...

    def mount_blob(self, repository: str, digest: Digest, origin: str) -> bool: ...

    def delete_blob(self, repository: str, digest: Digest) -> bool: ...

    def manifest(self, repository: str, digest: Digest) -> StoredManifest | None: ...

    def put_manifest(self, repository: str, digest: Digest, manifest: StoredManifest) -> None: ...

    def delete_manifest(self, repository: str, digest: Digest) -> bool:
        """Remove a manifest; tags and referrers that name it are the caller's to remove."""
        ...

    def tags(self, repository: str) -> list[str]: ...

    def resolve(self, repository: str, tag: str) -> Digest | None: ...

    def put_tag(self, repository: str, tag: str, digest: Digest) -> None: ...

    def delete_tag(self, repository: str, tag: str) -> bool: ...

    def referrers(self, repository: str, subject: Digest) -> list[Digest]: ...

    def add_referrer(self, repository: str, subject: Digest, referrer: Digest) -> None: ...

    def remove_referrer(self, repository: str, subject: Digest, referrer: Digest) -> None: ...
