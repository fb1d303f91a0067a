"""Temporary folders for the data of servers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MEMORY = Path("/dev/shm")
_ROOM = 4 << 30  # bytes; in many containers /dev/shm has 64 MiB, too little for a few layers


@contextmanager
def data_folder() -> Iterator[Path]:
    """Make a folder that goes with its context, in memory where there is room."""
    in_memory = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _ROOM
    with tempfile.TemporaryDirectory(
        prefix="replicator-test-",
        dir=_MEMORY if in_memory else None,
        ignore_cleanup_errors=True,  # a server may still write while it ends
    ) as folder:
        yield Path(folder)
