"""Where the programs are that the tests run against."""

from __future__ import annotations

import shutil
from pathlib import Path

BUILT = Path(__file__).parents[2] / ".tools" / "bin"


class MissingTool(Exception):
    """A program that the tests need is not installed."""


def built(name: str) -> Path:
    """Find a program that `make tools` builds; only that one has the version we tested with."""
    return _found(name, shutil.which(name, path=BUILT))


def installed(name: str) -> Path:
    """Find a program that `make tools` installs from the system's packages."""
    return _found(name, shutil.which(name))


def _found(name: str, path: str | None) -> Path:
    if path is None:
        raise MissingTool(f"{name} is not installed; run `make tools`")
    return Path(path)
