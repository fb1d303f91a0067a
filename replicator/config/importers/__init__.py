"""Importers: the files of other tools, read into rules; one module for each format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final, TypeAlias

from replicator.config.importers.checking import check
from replicator.config.importers.draft import Imported, Options

_Reader: TypeAlias = Callable[[Sequence[Path], Options], Imported]

FORMATS: Final[Mapping[str, str]] = {
    "regsync": "regsync",
    "skopeo": "skopeo",
    "image-syncer": "image_syncer",
    "dregsy": "dregsy",
}


def read_foreign(format_name: str, files: Sequence[Path], options: Options) -> Imported:
    """Read *files* of another tool. What has no counterpart is in the remarks.

    Raises ConfigError for what cannot be read at all.
    """
    module = import_module(f"replicator.config.importers.{FORMATS[format_name]}")
    read: _Reader = module.read
    imported = read(files, options)
    check(imported)
    return imported
