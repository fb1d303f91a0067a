"""Bytes for layers: different for each seed, the same on every machine and in every run."""

from __future__ import annotations

import hashlib
import random
import tarfile
import zlib
from collections.abc import Iterable, Iterator

PIECE = 1 << 20  # bytes


class LayerPieces:
    """The pieces of a gzipped tar archive with one file of *size* bytes that do not compress.

    After they were read, *diff_id* is the digest of the archive, as configs list it.
    """

    def __init__(self, seed: str, size: int) -> None:
        self._seed = seed
        self._size = size
        self._hash = hashlib.sha256()

    @property
    def diff_id(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"

    def __iter__(self) -> Iterator[bytes]:
        # Level 0 stores the bytes as they are: a test has no use for time spent compressing.
        stored = zlib.compressobj(level=0, wbits=31)
        for piece in _tar(self._seed, self._size):
            self._hash.update(piece)
            yield stored.compress(piece)
        yield stored.flush()


def noise(seed: str, size: int) -> Iterator[bytes]:
    """Yield *size* random bytes in pieces."""
    source = random.Random(seed)
    for start in range(0, size, PIECE):
        yield source.randbytes(min(PIECE, size - start))


def _tar(seed: str, size: int) -> Iterable[bytes]:
    header = tarfile.TarInfo(f"{seed}.bin")
    header.size = size
    yield header.tobuf()
    yield from noise(seed, size)
    yield bytes(-size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)
