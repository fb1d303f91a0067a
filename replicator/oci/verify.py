"""Verifier: digest and size of a stream as it passes, with places to go back to."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from replicator.errors import ContentMismatch
from replicator.oci.descriptor import Descriptor

# Bytes between two places to go back to. A copy of the hash state costs about a microsecond.
CHECKPOINT_INTERVAL: Final = 8 * 1024 * 1024


class Verifier:
    """Hashes a blob as it passes and says at the end whether it is the one that was asked for.

    ``offset`` is the number of bytes seen. A stream that broke is continued by reading from
    ``offset``; one whose *receiver* lost bytes goes back with ``rewind``.
    """

    def __init__(self, blob: Descriptor, *, checkpoint_every: int = CHECKPOINT_INTERVAL) -> None:
        self.blob = blob
        self.offset = 0
        self._hash = hashlib.new(blob.digest.algorithm)
        self._checkpoint_every = checkpoint_every
        self._checkpoints: list[tuple[int, Any]] = [(0, self._hash.copy())]

    def update(self, piece: bytes | bytearray | memoryview) -> None:
        """Hash the next piece. Raises ContentMismatch on the first byte beyond the blob's size."""
        self.offset += len(piece)
        if self.offset > self.blob.size:
            raise ContentMismatch(
                f"{self.blob.digest}: more than the {self.blob.size} bytes it should have"
            )
        self._hash.update(piece)
        if self.offset - self._checkpoints[-1][0] >= self._checkpoint_every:
            self._checkpoints.append((self.offset, self._hash.copy()))

    def rewind(self, offset: int) -> int:
        """Go back to the nearest place at or before *offset*, and return it.

        The caller reads from there and passes on what follows *offset*.
        """
        while self._checkpoints[-1][0] > offset:
            self._checkpoints.pop()
        self.offset, state = self._checkpoints[-1]
        self._hash = state.copy()
        return self.offset

    def fork(self, offset: int) -> Verifier:
        """Return another verifier for the same blob, at the nearest place at or before *offset*.

        The two go on independently: one stream that fed several receivers becomes two.
        """
        other = Verifier(self.blob)
        other._checkpoints = self._checkpoints.copy()
        other.rewind(offset)
        return other

    @property
    def complete(self) -> bool:
        """Whether as many bytes have passed as the blob has."""
        return self.offset == self.blob.size

    def finish(self) -> None:
        """Raise ContentMismatch unless what passed is the blob."""
        if not self.complete:
            raise ContentMismatch(f"{self.blob.digest}: {self.offset} of {self.blob.size} bytes")
        if self._hash.hexdigest() != self.blob.digest.hex:
            raise ContentMismatch(
                f"{self.blob.digest}: the bytes have the digest "
                f"{self.blob.digest.algorithm}:{self._hash.hexdigest()}"
            )
