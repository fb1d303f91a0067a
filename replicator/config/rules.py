"""The tables ``[[rules]]``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from replicator.config import values
from replicator.config.table import Keys, Table
from replicator.errors import ConfigError, InvalidValue
from replicator.oci.platform import Platform
from replicator.planning.rule import (
    Order,
    Origin,
    Overwrite,
    Prune,
    PrunedReferrers,
    RepositorySelection,
    Rule,
    TagSelection,
)

_TEXTS: Final = values.list_of(values.text)


def _platform(value: Any, where: str) -> Platform:
    try:
        return Platform.parse(values.text(value, where))
    except InvalidValue as error:
        raise ConfigError(f"{where}: {error}") from None


REPOSITORIES: Final[Keys] = {"include": _TEXTS, "exclude": _TEXTS}
TAGS: Final[Keys] = {
    "include": _TEXTS,
    "exclude": _TEXTS,
    "regex": _TEXTS,
    "exclude_regex": _TEXTS,
    "semver": values.text,
    "prerelease": values.boolean,
    "latest": values.integer(1),
    "order": values.one_of(Order),
    "newer_than": values.duration,
    "older_than": values.duration,
    "min_tags": values.integer(0),
    "labels": _TEXTS,
    "annotations": _TEXTS,
    "artifact_types": _TEXTS,
    "max_size": values.size,
}
RULE: Final[Keys] = {
    "name": values.text,
    "source": values.text,
    "destinations": _TEXTS,
    "repositories": Table(REPOSITORIES, example='repositories = { include = ["alpine"] }'),
    "tags": Table(TAGS, example='tags = { include = ["3.*"] }'),
    "platforms": values.list_of(_platform),
    "referrers": values.boolean,
    "pruned_referrers": values.one_of(PrunedReferrers),
    "foreign_layers": values.boolean,
    "overwrite": values.one_of(Overwrite),
    "immutable": _TEXTS,
    "prune": values.one_of(Prune),
    "prune_after": values.duration,
    "max_prune": values.integer(0),
    "allow_empty": values.boolean,
    "schedule": values.text,
    "timezone": values.text,
    "jitter": values.duration,
    "maintenance": _TEXTS,
    "objective": values.duration,
    "enabled": values.boolean,
}
_RULE_TABLE: Final = Table(RULE, example='[[rules]] and below it name = "…"')
_REQUIRED: Final = ("source", "destinations")


def read_rules(value: Any, where: str) -> tuple[Rule, ...]:
    """Read all rules of a file. Raises ConfigError."""
    if not isinstance(value, list):
        fix = "; write [[rules]], with two brackets, above each rule"
        raise values.wrong("a list of tables", value, f"{where} rules", fix)
    rules: dict[str, Rule] = {}
    for number, given in enumerate(value, start=1):
        rule = _rule(given, number, where)
        if rule.name in rules:
            name = values.printable(rule.name)
            raise ConfigError(f'{where} rule "{name}": two rules have this name; rename one')
        rules[rule.name] = rule
    return tuple(rules.values())


def read_rule(value: Any) -> Rule:
    """Read one rule that is kept in the database alone. Raises ConfigError."""
    return replace(_rule(value, 1, ""), origin=Origin.API)


def _rule(value: Any, number: int, where: str) -> Rule:
    name = value.get("name") if isinstance(value, dict) else None
    place = (
        f'{where} rule "{values.printable(name)}":'
        if isinstance(name, str)
        else f"{where} rules[{number}]:"
    ).lstrip()
    given = _RULE_TABLE(value, place)
    if name is None:
        raise ConfigError(f'{place} has no name; add name = "…"')
    for key in _REQUIRED:
        if not given.get(key):
            raise ConfigError(f"{place} {key}: is missing; every rule has source and destinations")
    repositories = RepositorySelection(**given.pop("repositories", {}))
    tags = TagSelection(**given.pop("tags", {}))
    return Rule(repositories=repositories, tags=tags, origin=Origin.FILE, **given)
