"""Rules as JSON documents."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from replicator.errors import StoreError
from replicator.planning.rule import Rule


def rule_to_document(rule: Rule) -> dict[str, Any]:
    """Return all of *rule* in what JSON has; durations as in ISO 8601."""
    document: dict[str, Any] = msgspec.to_builtins(rule)
    return document


def rule_from_document(name: str, document: Any) -> Rule:
    """Read what ``rule_to_document`` wrote, also by an earlier version.

    A field that the document lacks has its default; one that is unknown is left out. Raises
    StoreError, naming the rule as *name*, when the document is not a rule.
    """
    try:
        return msgspec.convert(document, Rule)
    except msgspec.ValidationError as error:
        raise StoreError(f"rule {name!r} in the database cannot be read: {error}") from error


def duration_from_document(text: str) -> timedelta:
    """Read a duration of such a document."""
    return msgspec.convert(text, timedelta)
