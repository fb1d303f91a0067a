"""Lists of patterns for names of rules, checked where they are read."""

from __future__ import annotations

from typing import Any

from replicator.config import values
from replicator.errors import ConfigError, InvalidValue
from replicator.planning.patterns import Glob


def read_rule_patterns(value: Any, where: str) -> tuple[str, ...]:
    """Read globs for names of rules."""
    patterns = values.list_of(values.text)(value, where)
    for pattern in patterns:
        try:
            Glob.of_tags(pattern, where=where)
        except InvalidValue as error:
            raise ConfigError(str(error)) from None
    return patterns
