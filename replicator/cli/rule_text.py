"""Rules as they are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from replicator.planning.rule import Origin, Rule
from replicator.store.documents import rule_to_document

RULE_HEADER: Final = ("RULE", "SOURCE", "DESTINATIONS", "SCHEDULE", "ENABLED", "FROM", "REVISION")
_ORIGINS: Final = {Origin.FILE: "file", Origin.API: "database"}


def rule_row(rule: Rule) -> tuple[object, ...]:
    """Return a rule as a row of a table."""
    return (
        rule.name,
        rule.source,
        " ".join(rule.destinations),
        f"{rule.schedule} {rule.timezone}" if rule.schedule else "-",
        "yes" if rule.enabled else "no",
        _ORIGINS[rule.origin],
        rule.revision,
    )


def rule_json(rule: Rule) -> dict[str, Any]:
    """Return a rule for programs, in the words of the configuration file."""
    platforms = list(map(str, rule.platforms))
    return {**rule_to_document(rule), "platforms": platforms}


def rule_fields(rule: Rule) -> Iterator[tuple[str, str]]:
    """Yield all that was said of a rule; what was left out has its default."""
    defaults = dict(_flat(rule_json(Rule(rule.name, "", ()))))
    always = {"name", "enabled", "origin", "revision"}
    for key, value in _flat(rule_json(rule)):
        if key in always or value != defaults[key]:
            yield key, _text(value)


def _flat(document: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield before + key, value


def _text(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(map(str, value))
        case _:
            return str(value)
