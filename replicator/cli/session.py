"""Session: what was said before the command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from replicator import bootstrap
from replicator.values import dataclass

if TYPE_CHECKING:
    from replicator.config import Config


@dataclass(slots=True)
class Session:
    """The options that stand before every command; filled in once they have been read."""

    config_file: Path | None = None
    database_url: str | None = None
    verbosity: int = 0

    def config(self) -> Config:
        """Read the configuration. Raises ConfigError."""
        return bootstrap.read_config(self.config_file, database=self.database_url)


def session_of(context: typer.Context) -> Session:
    """Return what the options before the command said."""
    return cast(Session, context.obj)
