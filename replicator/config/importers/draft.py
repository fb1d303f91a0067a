"""Drafts: rules and registries as they will be written, with what has to be said about them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any, Final

from replicator.values import dataclass

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_WIDTH: Final = 100


@dataclass(frozen=True, slots=True)
class Options:
    """What the files of some tools do not say, as it stands on their command lines."""

    destination: str = ""
    scoped: bool = False
    all_platforms: bool = False


@dataclass(slots=True)
class Draft:
    """A rule to be written.

    *complete* is false when it would do something else than the other tool did; such a rule is
    written, and switched off. One that is *unusable* is written as a comment.
    """

    name: str
    source: str
    destinations: list[str]
    tags: dict[str, Any] = field(default_factory=dict)
    repositories: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    complete: bool = True
    unusable: bool = False

    def lose(self, remark: str) -> None:
        """Note something without which the rule is not what it was."""
        self.remarks.append(f"NOT CARRIED OVER: {remark}")
        self.complete = False


@dataclass(slots=True)
class Imported:
    """What came of the files."""

    rules: list[Draft] = field(default_factory=list)
    registries: dict[str, dict[str, Any]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def add(self, draft: Draft) -> Draft:
        """Take in a rule, under a name that no other has."""
        draft.name = self._free_name(draft.name)
        self.rules.append(draft)
        return draft

    @property
    def open_questions(self) -> int:
        """How many remarks there are."""
        return len(self.remarks) + sum(len(rule.remarks) for rule in self.rules)

    def _free_name(self, wanted: str) -> str:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", wanted).strip("-._")[:90] or "rule"
        taken = {rule.name for rule in self.rules}
        names = (plain if number == 1 else f"{plain}-{number}" for number in range(1, 1_000_000))
        return next(name for name in names if name not in taken)


def to_toml(imported: Imported) -> str:
    """Write a configuration file; each remark is a comment above what it is about."""
    return "\n".join(_lines(imported)).strip("\n") + "\n"


def _lines(imported: Imported) -> Iterator[str]:
    for remark in imported.remarks:
        yield from _comment(remark)
    for host, entry in sorted(imported.registries.items()):
        yield ""
        yield f"[registries.{_text(host)}]"
        yield from (f"{key} = {_value(value)}" for key, value in entry.items())
    for draft in imported.rules:
        yield ""
        for remark in draft.remarks:
            yield from _comment(remark)
        lines = ["[[rules]]", *(f"{key} = {_value(value)}" for key, value in table(draft).items())]
        yield from (f"#{line}" if draft.unusable else line for line in lines)


def table(draft: Draft) -> dict[str, Any]:
    """Return a rule as a file has it."""
    found: dict[str, Any] = {
        "name": draft.name,
        "source": draft.source,
        "destinations": draft.destinations,
    }
    for key in ("repositories", "tags"):
        if values := getattr(draft, key):
            found[key] = values
    found |= draft.settings
    if not draft.complete:
        found["enabled"] = False
    return found


def _comment(remark: str) -> Iterator[str]:
    line = "#"
    for word in remark.split():
        if len(line) + len(word) + 1 > _WIDTH and line != "#":
            yield line
            line = "#  "
        line += f" {word}"
    yield line


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case Mapping():
            parts = (f"{_key(key)} = {_value(each)}" for key, each in value.items())
            return f"{{ {', '.join(parts)} }}"
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
        case _:
            return str(value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    # What JSON writes with an escape, TOML reads in the same way; DEL alone it wants escaped too.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
