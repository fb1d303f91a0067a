"""A rule as text: read as `replicate rule edit` reads it."""

from __future__ import annotations

from typing import Final

from replicator.config.rule_file import read_rule_text, to_toml
from replicator.page.mistakes import TEXT
from replicator.planning.rule import Rule

NEW: Final = """\
[[rules]]
name = "base-images"
source = "docker.io/library/alpine"
destinations = ["registry.example.com/hub/{name}"]
tags = { semver = ">=3.18", latest = 5 }
schedule = "0 3 * * *"
"""


def read(text: str) -> Rule:
    """Read the rule of a text. Raises ConfigError."""
    return read_rule_text(text.replace("\r\n", "\n"), TEXT)


def write(rule: Rule) -> str:
    """Return a rule as text that reads the same."""
    return to_toml([rule])
