"""Folder: the files of one image layout, opened by handle and never through a link."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from replicator.errors import LayoutError, NotFound
from replicator.layout.new_file import NewFile, new_file, remove_leftovers
from replicator.oci.digest import Digest
from replicator.oci.reference import LAYOUT

_MARKER: Final = "oci-layout"
_MARKER_CONTENT: Final = b'{"imageLayoutVersion":"1.0.0"}'
_BLOBS: Final = "blobs"
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Without O_NONBLOCK, opening a pipe that somebody planted would wait for ever.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Folder:
    """A folder with an image layout, or one in which a layout can be made.

    Below *path* names come only from the specification and from digests, and no link is
    followed. What the system refuses becomes a LayoutError. (image-spec, image-layout.md)
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._cleaned: set[str] = set()

    def __str__(self) -> str:
        return f"{LAYOUT}{self.path}"

    def require(self) -> None:
        """Raise NotFound when nothing is there, LayoutError when that is no image layout."""
        if not os.path.lexists(self.path):
            raise NotFound(f"{self}: there is no image layout", registry=LAYOUT)
        with self.translated("cannot be read"), self._directory() as root:
            if not self._is_layout(root):
                raise NotFound(f"{self}: there is no image layout", registry=LAYOUT)

    def make(self) -> None:
        """Make the layout unless it is there. Raises LayoutError where something else is."""
        with self.translated("cannot be made"):
            self.path.mkdir(parents=True, exist_ok=True)
            with self._directory() as root:
                if not self._is_layout(root):
                    _write_marker(root)

    @contextmanager
    def open_blob(self, digest: Digest) -> Iterator[int]:
        """Open the file of a blob, a handle inside. Raises NotFound."""
        with self.translated(f"cannot read {digest}"):
            try:
                with self._directory(_BLOBS, digest.algorithm) as directory:
                    file = _open_regular(digest.hex, directory)
            except FileNotFoundError:
                raise NotFound(f"{self}: has no {digest}", registry=LAYOUT) from None
        try:
            yield file
        finally:
            os.close(file)

    def read_blob(self, digest: Digest, limit: int) -> bytes:
        """Read a small blob, at most *limit* and one bytes of it. Raises NotFound."""
        with self.open_blob(digest) as file, self.translated(f"cannot read {digest}"):
            return _read(file, limit + 1)

    def size_of(self, digest: Digest) -> int | None:
        """Return how long the file of a blob is; None if there is none."""
        try:
            with self.open_blob(digest) as file:
                return os.fstat(file).st_size
        except NotFound:
            return None

    @contextmanager
    def new_blob(self, algorithm: str) -> Iterator[NewFile]:
        """Begin the file of a blob; it is to be kept under the hex part of its digest."""
        for path in ((), (_BLOBS,)):
            with self._directory(*path) as directory, suppress(FileExistsError):
                os.mkdir(algorithm if path else _BLOBS, dir_fd=directory)
        with self._directory(_BLOBS, algorithm) as directory:
            self._clean(algorithm, directory)
            with new_file(directory) as new:
                yield new

    def write_blob(self, digest: Digest, content: bytes) -> None:
        """Write a small blob, unless it is there as it should be."""
        with suppress(NotFound):
            if self.read_blob(digest, len(content)) == content:
                return
        with (
            self.translated(f"cannot write {digest}"),
            self.new_blob(digest.algorithm) as new,
        ):
            new.write(content)
            new.keep(digest.hex)

    def read_file(self, name: str, limit: int) -> bytes | None:
        """Read a file beside the blobs, at most *limit* and one bytes; None if there is none."""
        with self.translated(f"cannot read {name}"):
            try:
                with self._directory() as root:
                    file = _open_regular(name, root)
            except FileNotFoundError:
                return None
            try:
                return _read(file, limit + 1)
            finally:
                os.close(file)

    def replace_file(self, name: str, content: bytes) -> None:
        """Put *content* in the place of a file beside the blobs, at one stroke."""
        with self.translated(f"cannot write {name}"), self._directory() as root:
            self._clean("", root)
            with new_file(root) as new:
                new.write(content)
                new.keep(name)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep all other writers out, in this process and in others.

        Waits without giving way, so it is for threads and for short work.
        """
        with self.translated("cannot be locked"), self._directory() as root:
            marker = os.open(_MARKER, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=root)
        try:
            with self.translated("cannot be locked"):
                fcntl.flock(marker, fcntl.LOCK_EX)
            yield
        finally:
            os.close(marker)

    @contextmanager
    def translated(self, what: str) -> Iterator[None]:
        """Say of an OSError that it happened here."""
        try:
            yield
        except OSError as error:
            reason = "links are not followed" if error.errno == errno.ELOOP else error.strerror
            raise LayoutError(f"{self}: {what}: {reason}") from error

    @contextmanager
    def _directory(self, *names: str) -> Iterator[int]:
        handle = os.open(self.path, _DIRECTORY)
        try:
            for name in names:
                below = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
                os.close(handle)
                handle = below
            yield handle
        finally:
            os.close(handle)

    def _is_layout(self, root: int) -> bool:
        """Say whether a layout is there, and not whether one could be: somebody's home is no
        place to scatter files in."""
        names = os.listdir(root)
        if _MARKER in names:
            return True
        if all(name.startswith(".") or name == "lost+found" for name in names):
            return False
        raise LayoutError(f"{self}: has files in it but no {_MARKER}, so it is no image layout")

    def _clean(self, name: str, directory: int) -> None:
        """Remove what processes that died have left, once."""
        if name not in self._cleaned:
            self._cleaned.add(name)
            remove_leftovers(directory)


def _open_regular(name: str, directory: int) -> int:
    file = os.open(name, _FILE, dir_fd=directory)
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    raise OSError(errno.EINVAL, "not a regular file")


def _read(file: int, limit: int) -> bytes:
    content = bytearray()
    while len(content) < limit and (piece := os.read(file, limit - len(content))):
        content += piece
    return bytes(content)


def _write_marker(root: int) -> None:
    """Write the file that makes a folder a layout, unless somebody was faster."""
    with new_file(root) as new:
        new.write(_MARKER_CONTENT)
        new.keep_unless_there(_MARKER)
