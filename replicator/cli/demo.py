"""``replicate demo``."""

from __future__ import annotations

from typing import Final

from replicator.cli.groups import examples

EXAMPLES: Final = examples("replicate demo")


def demo() -> None:
    """Watch images move between two registries on this machine."""
