"""The command line, and registries in the event loop of the test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import CommandLine
from tests.support.embedded import start_registry

__all__ = ["start_registry"]


@pytest.fixture
def replicate(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)
