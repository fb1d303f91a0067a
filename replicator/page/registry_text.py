"""A registry as text, in the words of the configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from replicator.config.load import parse_toml_of
from replicator.config.rule_file import toml_value
from replicator.errors import ConfigError
from replicator.oci.reference import canonical_registry
from replicator.page.mistakes import TEXT

NEW: Final = """\
[registries."registry.example.com"]
kind = "harbor"
credential = { stored = "harbor" }
max_concurrency = 16
"""


def read(text: str) -> tuple[str, Mapping[str, Any]]:
    """Read the one registry of a text: its name and its settings, which are not looked at yet.

    Raises ConfigError.
    """
    document = parse_toml_of(text.encode("utf-8", "replace"), TEXT)
    entries = document.pop("registries", None)
    if document or not isinstance(entries, dict) or len(entries) != 1:
        raise ConfigError(
            f'{TEXT}: there has to be one registry and nothing else, below [registries."HOST"]'
        )
    ((name, settings),) = entries.items()
    if not isinstance(settings, dict):
        raise ConfigError(f'{TEXT}: write settings below [registries."HOST"]')
    return canonical_registry(name), settings


def write(name: str, settings: Mapping[str, Any]) -> str:
    """Return a registry as text that reads the same."""
    lines = [f"{key} = {toml_value(value)}\n" for key, value in settings.items()]
    return f"[registries.{toml_value(name)}]\n{''.join(lines)}"
