"""Rules as files have them: read from TOML or YAML, and written so that they read the same."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from replicator.config.load import parse_toml, parse_toml_of, read_bytes
from replicator.config.rules import read_rules
from replicator.config.table import Table
from replicator.errors import ConfigError
from replicator.oci.platform import Platform
from replicator.planning.rule import Origin, RepositorySelection, Rule, TagSelection

# What the database keeps about a rule; a file says nothing of it.
_OF_THE_DATABASE: Final = {"origin", "revision"}
_DURATIONS: Final = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))
_SIZES: Final = (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024), ("B", 1))


def read_rule_file(file: Path) -> tuple[Rule, ...]:
    """Read the rules of a TOML or YAML file, whichever its name says. Raises ConfigError."""
    content = _parse_yaml(file) if file.suffix in (".yaml", ".yml") else parse_toml(file)
    return _rules(content, f"{file}:")


def read_rule_text(text: str, name: str) -> Rule:
    """Read the one rule of a TOML text; *name* is what messages call it. Raises ConfigError."""
    rules = _rules(parse_toml_of(text.encode("utf-8", "replace"), name), f"{name}:")
    if len(rules) != 1:
        raise ConfigError(f"{name}: there has to be one rule and no other, below [[rules]]")
    return rules[0]


def _rules(content: Any, where: str) -> tuple[Rule, ...]:
    table = Table(
        {"rules": lambda value, _: read_rules(value, where)},
        example="[[rules]], or in YAML a list below rules:",
    )
    rules = table(content, where).get("rules", ())
    return tuple(replace(rule, origin=Origin.API) for rule in rules)


def rule_table(rule: Rule) -> dict[str, Any]:
    """Return what a file has to say of *rule*: all that is not a default."""
    return {
        field.name: _plain(field.name, getattr(rule, field.name))
        for field in fields(Rule)
        if field.name not in _OF_THE_DATABASE and getattr(rule, field.name) != _default(field)
    }


def to_toml(rules: Sequence[Rule]) -> str:
    """Return *rules* as the text of a TOML file."""
    return "\n".join("[[rules]]\n" + _assignments(rule_table(rule)) for rule in rules)


def to_yaml(rules: Sequence[Rule]) -> str:
    """Return *rules* as the text of a YAML file."""
    import yaml

    tables = {"rules": list(map(rule_table, rules))}

    def text(*, allow_unicode: bool) -> str:
        return yaml.safe_dump(tables, sort_keys=False, allow_unicode=allow_unicode, width=100)

    # PyYAML itself reads some odd line ends other than it has written them.
    readable = text(allow_unicode=True)
    is_plain = readable.replace("\n", "").isprintable()
    return readable if is_plain else text(allow_unicode=False)


def _default(field: Any) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _plain(name: str, value: Any) -> Any:
    match value:
        case RepositorySelection() | TagSelection():
            changed = {
                field.name: getattr(value, field.name)
                for field in fields(value)
                if getattr(value, field.name) != _default(field)
            }
            return {key: _plain(key, each) for key, each in changed.items()}
        case enum.StrEnum():
            return value.value
        case Platform():
            return str(value)
        case timedelta():
            return _duration(value)
        case tuple():
            return [_plain(name, each) for each in value]
        case int() if name == "max_size":
            return _in_units(value, _SIZES)
        case _:
            return value


def _duration(value: timedelta) -> str:
    if value.microseconds:
        return f"{value / timedelta(milliseconds=1):.0f}ms"
    return _in_units(value // timedelta(seconds=1), _DURATIONS)


def _in_units(number: int, units: Sequence[tuple[str, int]]) -> str:
    """Write a number with the largest unit of which it is a multiple."""
    fitting = (each for each in units if number and number % each[1] == 0)
    unit, size = next(fitting, units[-1])
    return f"{number // size}{unit}"


def _assignments(table: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {toml_value(value)}\n" for key, value in table.items())


def toml_value(value: Any) -> str:
    """Write one value; text in JSON is text in TOML, the delete character aside."""
    match value:
        case Mapping():
            inside = ", ".join(f"{key} = {toml_value(each)}" for key, each in value.items())
            return f"{{ {inside} }}"
        case list():
            return f"[{', '.join(map(toml_value, value))}]"
        case _:
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _parse_yaml(file: Path) -> Any:
    import yaml

    from replicator.config.plain_yaml import PlainLoader

    try:
        return yaml.load(read_bytes(file), PlainLoader)  # noqa: S506 (it is a safe loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{mark.line + 1}:{mark.column + 1}: " if mark else ""
        raise ConfigError(f"{file}:{place or ' '}{error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: is not YAML: {' '.join(str(error).split())}") from None
