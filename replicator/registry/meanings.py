"""Meanings: what registries mean by refusals that their status and code do not tell apart."""

from __future__ import annotations

import re
from typing import Final

from replicator import errors
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    """A refusal, known by its statuses and words, and what a person should know of it.

    The words are a regular expression in which case does not count.
    *kind* is its error where that is another than the status tells. None of them goes away by
    trying again at once.
    """

    statuses: frozenset[int]
    words: str
    sentence: str
    kind: type[errors.RegistryError] | None = None


# Of Harbor and Quay as they were measured, of others as their users report it.
_MEANINGS: Final = (
    Meaning(
        frozenset({403}),
        r"quota|will exceed the configured upper limit|storage limit",
        "a quota is full: make room there, or have it raised",
        errors.QuotaFull,
    ),
    Meaning(
        frozenset({403, 405}),
        r"read[ -]?only",
        "it is in read-only mode: a later run goes on",
        errors.Denied,
    ),
    Meaning(
        frozenset({412}),
        r"PROJECTPOLICYVIOLATION",
        "a policy blocks it, for its vulnerabilities or because it is not signed",
        errors.Denied,
    ),
    Meaning(
        frozenset({403}),
        r"proxy project",
        "it is a pull-through cache, which nothing can be pushed to",
    ),
    Meaning(
        frozenset({403}),
        r"client with IP .{1,64} is not allowed",
        "its firewall does not let this machine in",
    ),
    Meaning(
        frozenset({403}),
        r"authorization token has expired",
        "the login has ended: log in again, or have it found by the cloud's library",
        errors.Unauthorized,
    ),
    Meaning(
        frozenset({403}),
        r"permission_denied: (?:write|create)_package",
        "the package does not let this token write: give it access in the package's settings",
    ),
)


def meaning_of(status: int, text: str) -> Meaning | None:
    """Return what a refusal with *text*, its codes and words, means; None if nothing special."""
    return next(
        (
            each
            for each in _MEANINGS
            if status in each.statuses and re.search(each.words, text, re.IGNORECASE)
        ),
        None,
    )
