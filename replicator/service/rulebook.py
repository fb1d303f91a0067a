"""Rulebook: the rules of the database and of the configuration file, as one set."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Protocol

from replicator.errors import ConfigError, RuleNotFound, StoreError
from replicator.planning.rule import Origin, Rule
from replicator.planning.validation import check_rules


class Rules(Protocol):
    """Keeps rules."""

    async def all(self) -> tuple[Rule, ...]: ...

    async def replace_file_rules(self, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        """Make *rules* those that come from a file. Raises RuleConflict."""
        ...


class NoRules:
    """What a database that is not there keeps."""

    async def all(self) -> tuple[Rule, ...]:
        return ()

    async def replace_file_rules(self, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        raise StoreError("there is no database")


class Rulebook:
    """The rules that count: those of the file stand in for what earlier files brought.

    A file without rules leaves those of the database alone.
    """

    def __init__(self, kept: Rules, of_file: Sequence[Rule]) -> None:
        self._kept = kept
        self._of_file = of_file

    async def all(self) -> tuple[Rule, ...]:
        """Return all rules by name, and write nothing. Raises ConfigError if one is of no use."""
        rules = await self._kept.all()
        if self._of_file:
            own = {rule.name for rule in self._of_file}
            by_hand = [each for each in rules if each.origin is not Origin.FILE]
            rules = (*self._of_file, *(each for each in by_hand if each.name not in own))
        check_rules(rules)
        return tuple(sorted(rules, key=lambda rule: rule.name))

    async def bring_in(self) -> None:
        """Write the rules of the file into the database. Raises ConfigError, RuleConflict."""
        if self._of_file:
            await self.all()
            await self._kept.replace_file_rules(self._of_file)

    async def named(self, names: Sequence[str]) -> tuple[Rule, ...]:
        """Return the rules of those names, in that order; without names all that are enabled.

        Raises RuleNotFound, with what was probably meant.
        """
        rules = {rule.name: rule for rule in await self.all()}
        if not rules:
            raise ConfigError(
                "there are no rules; write [[rules]] into a configuration file, such as "
                "config.toml, and name it with --config"
            )
        if not names:
            return tuple(rule for rule in rules.values() if rule.enabled)
        for name in names:
            if name not in rules:
                raise RuleNotFound(f"there is no rule {name!r}{_suggestion(name, rules)}")
        return tuple(rules[name] for name in dict.fromkeys(names))


def _suggestion(name: str, known: dict[str, Rule]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
