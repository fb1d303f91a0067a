"""PieceBuffers: the memory that the pieces of a body are handed out in."""

from __future__ import annotations

from typing import Final

# Larger pieces cost fewer turns, and more memory for each transfer.
PIECE_SIZE: Final = 512 * 1024


class PieceBuffers:
    """Two buffers, used in turn.

    While a loop asks for the next piece, it still holds the one before, so one buffer is not
    enough. A buffer that somebody holds for longer is left to them and another is made: a piece
    never changes under whoever looks at it.
    """

    def __init__(self) -> None:
        self._next: bytearray | None = None
        self._latest: bytearray | None = None

    def take(self, size: int) -> memoryview:
        """Return a view of *size* bytes."""
        buffer = self._next
        if buffer is None or len(buffer) < size or _is_held(buffer):
            buffer = bytearray(size)
        self._next, self._latest = self._latest, buffer
        return memoryview(buffer)[:size]


def _is_held(buffer: bytearray) -> bool:
    """Whether there is a view of *buffer*: that is when its size cannot change."""
    try:
        buffer.pop()
    except BufferError:
        return True
    buffer.append(0)
    return False
