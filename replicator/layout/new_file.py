"""NewFile: a file that is either there whole, or not at all."""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

_PREFIX: Final = ".new-"


class NewFile:
    """A file that is written under a name of its own, and gets its right one when it is whole.

    While it is written it is locked: so it can be told from what a process that died has left.
    """

    def __init__(self, directory: int) -> None:
        self.size = 0
        self._claimed = False
        self._claiming = threading.Lock()
        self._directory = os.dup(directory)
        try:
            self._name, self._file = _create(self._directory)
        except BaseException:
            os.close(self._directory)
            raise

    def write(self, piece: bytes | bytearray | memoryview) -> None:
        """Append *piece*. Raises OSError, as when the disk is full."""
        rest = memoryview(piece)
        self.size += len(rest)
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def keep(self, name: str) -> None:
        """Bring the content to the disk, and then the name. Raises OSError.

        The disk takes its time, so this may run in a thread. Whoever waits for it may be
        cancelled: then the thread ends what it has begun, or does not begin.
        """
        if not self._claim():
            return
        try:
            os.fsync(self._file)
            os.rename(self._name, name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
            os.fsync(self._directory)
        except BaseException:
            self._remove()
            raise
        finally:
            self._close()

    def keep_unless_there(self, name: str) -> None:
        """Bring the content to the disk, and then the name unless another file has it."""
        os.fsync(self._file)
        try:
            os.link(self._name, name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        except FileExistsError:
            pass
        except OSError:  # no hard links on this file system, as on FAT
            os.rename(self._name, name, src_dir_fd=self._directory, dst_dir_fd=self._directory)

    def discard(self) -> None:
        """Remove it, unless it is being kept."""
        if self._claim():
            self._remove()
            self._close()

    def _claim(self) -> bool:
        with self._claiming:
            first, self._claimed = not self._claimed, True
        return first

    def _remove(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=self._directory)

    def _close(self) -> None:
        os.close(self._file)
        os.close(self._directory)


@contextmanager
def new_file(directory: int) -> Iterator[NewFile]:
    """Begin a file in *directory*, a handle; at the end it is gone unless it was kept."""
    new = NewFile(directory)
    try:
        yield new
    finally:
        new.discard()


def remove_leftovers(directory: int) -> None:
    """Remove what processes that died have left in *directory*, a handle."""
    for name in os.listdir(directory):
        if not name.startswith(_PREFIX):
            continue
        with suppress(OSError):
            file = os.open(name, os.O_RDWR | os.O_NOFOLLOW, dir_fd=directory)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(name, dir_fd=directory)
            finally:
                os.close(file)


def _create(directory: int) -> tuple[str, int]:
    while True:
        name = _PREFIX + secrets.token_hex(8)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        file = os.open(name, flags, 0o666, dir_fd=directory)
        fcntl.flock(file, fcntl.LOCK_EX)
        # Between the two lines above somebody may have taken it for a leftover.
        if os.fstat(file).st_nlink:
            return name, file
        os.close(file)
