"""naming_file: what is wrong with a rule of a file is said with the file's name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from replicator.errors import ConfigError
from replicator.planning.rule import Rule


@contextmanager
def naming_file(file: Path | None, rules: Sequence[Rule]) -> Iterator[None]:
    """Let messages about one of *rules*, which are from *file*, begin as all about files do.

    Whoever checks rules knows their names alone, as they may be in the database.
    """
    try:
        yield
    except ConfigError as error:
        message = str(error)
        if file is None or not any(message.startswith(f'rule "{rule.name}": ') for rule in rules):
            raise
        raise ConfigError(f"{file}: {message}") from None
