"""Rulebook: the rules of the database and of the configuration file, as one set."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from replicator.errors import ConfigError, RuleConflict, RuleNotFound, StoreError
from replicator.planning.rule import Origin, Rule
from replicator.planning.validation import check_rules
from replicator.service.rules.rule_changes import Difference, refuse_file_rule
from replicator.service.rules.rule_places import naming_file


class Rules(Protocol):
    """Keeps rules."""

    async def all(self) -> tuple[Rule, ...]: ...

    async def replace_file_rules(self, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        """Make *rules* those that come from a file. Raises RuleConflict."""
        ...

    async def rewrite(
        self, rewrite: Callable[[tuple[Rule, ...]], Sequence[Rule]]
    ) -> tuple[Rule, ...]:
        """Make the rules what *rewrite* makes of them, all or nothing."""
        ...


class NoRules:
    """What a database that is not there keeps."""

    async def all(self) -> tuple[Rule, ...]:
        return ()

    async def replace_file_rules(self, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        raise StoreError("there is no database")

    async def rewrite(
        self, rewrite: Callable[[tuple[Rule, ...]], Sequence[Rule]]
    ) -> tuple[Rule, ...]:
        raise StoreError("there is no database")


class Rulebook:
    """The rules that count: those of the file stand in for what earlier files brought.

    A file without rules leaves those of the database alone. *file* is what messages call it.
    """

    def __init__(self, kept: Rules, of_file: Sequence[Rule], file: Path | None = None) -> None:
        self._kept = kept
        self._of_file = of_file
        self._file = file
        # What was found good last: comparing a thousand rules with all others costs 0.1 s of CPU.
        self._checked: tuple[Rule, ...] = ()

    async def all(self) -> tuple[Rule, ...]:
        """Return all rules by name, and write nothing. Raises ConfigError if one is of no use."""
        return self._good(await self._kept.all())

    async def as_they_are(self) -> tuple[Rule, ...]:
        """Return all rules by name to be looked at: also those that nothing can be done with."""
        return self._by_name(await self._kept.all())

    async def bring_in(self) -> None:
        """Write the rules of the file into the database. Raises ConfigError, RuleConflict."""
        if self._of_file:
            kept = await self._kept.all()
            self._good(kept)
            if not self._has_all_of_file(kept):
                await self._kept.replace_file_rules(self._of_file)

    async def named(self, names: Sequence[str]) -> tuple[Rule, ...]:
        """Return the rules of those names, in that order; without names all that are enabled.

        Raises RuleNotFound, with what was probably meant.
        """
        rules = {rule.name: rule for rule in await self.all()}
        if not rules:
            raise ConfigError(
                "there are no rules; write [[rules]] into a configuration file, such as "
                "config.toml, and name it with --config, or see `replicate rule add --help`"
            )
        if not names:
            return tuple(rule for rule in rules.values() if rule.enabled)
        return tuple(_find(name, rules) for name in dict.fromkeys(names))

    async def add(self, rule: Rule) -> Rule:
        """Keep a new rule. Raises ConfigError if it, or all of them together, are of no use."""

        def added(kept: Sequence[Rule]) -> Sequence[Rule]:
            if rule.name in {each.name for each in self._with_file(kept)}:
                raise ConfigError(
                    f"there is a rule {rule.name!r} already; choose another name, or change it "
                    f"with `replicate rule edit {rule.name}`"
                )
            return (*(each for each in kept if each.name != rule.name), rule)

        return (await self._save(added))[rule.name]

    async def change(self, name: str, change: Callable[[Rule], Rule]) -> Rule:
        """Replace a rule by what *change* makes of it, which may not give it another name.

        Raises RuleNotFound, ConfigError, and RuleConflict when *change* returns a rule of another
        revision: it was made from one that somebody else has changed meanwhile.
        """

        def changed(kept: Sequence[Rule]) -> Sequence[Rule]:
            before = _find(name, {rule.name: rule for rule in self._with_file(kept)})
            refuse_file_rule(before)
            after = change(before)
            if after.revision != before.revision:
                raise RuleConflict(
                    f"rule {name!r} was changed meanwhile: revision {after.revision} was edited, "
                    f"it is now at {before.revision}"
                )
            return tuple(after if rule.name == name else rule for rule in kept)

        return (await self._save(changed))[name]

    async def remove(self, name: str) -> None:
        """Forget a rule; its history stays. One that a file once brought may go, too."""

        def removed(kept: Sequence[Rule]) -> Sequence[Rule]:
            own = {rule.name: rule for rule in self._of_file}
            if name in own:
                refuse_file_rule(own[name])
            _find(name, {rule.name: rule for rule in kept})
            return tuple(rule for rule in kept if rule.name != name)

        await self._kept.rewrite(removed)

    async def compare(self, wanted: Sequence[Rule], *, prune: bool) -> Difference:
        """Return what has to change so that the rules are the *wanted* ones; changes nothing.

        With *prune* others are removed, unless they come from a configuration file. Raises
        ConfigError if what would come out of it is of no use.
        """
        kept = await self._kept.all()
        difference = Difference.between(self._with_file(kept), wanted, prune=prune)
        self._check(self._with_file(difference.apply(kept)))
        return difference

    async def apply(self, difference: Difference) -> None:
        """Carry out what was shown, or nothing. Raises RuleConflict, ConfigError."""
        await self._save(difference.apply)

    async def _save(
        self, rewrite: Callable[[Sequence[Rule]], Sequence[Rule]]
    ) -> Mapping[str, Rule]:
        """Rewrite the rules and check all of them in one transaction; return them by name."""

        def checked(kept: tuple[Rule, ...]) -> Sequence[Rule]:
            rules = rewrite(kept)
            self._check(self._with_file(rules))
            return rules

        return {rule.name: rule for rule in await self._kept.rewrite(checked)}

    def _good(self, kept: Sequence[Rule]) -> tuple[Rule, ...]:
        rules = self._by_name(kept)
        if rules != self._checked:
            self._check(rules)
            self._checked = rules
        return rules

    def _by_name(self, kept: Sequence[Rule]) -> tuple[Rule, ...]:
        return tuple(sorted(self._with_file(kept), key=lambda rule: rule.name))

    def _has_all_of_file(self, kept: Sequence[Rule]) -> bool:
        """Say whether the rules that came from files are those of this one."""
        before = {
            rule.name: replace(rule, revision=0) for rule in kept if rule.origin is Origin.FILE
        }
        return before == {
            rule.name: replace(rule, origin=Origin.FILE, revision=0) for rule in self._of_file
        }

    def _check(self, rules: Sequence[Rule]) -> None:
        with naming_file(self._file, self._of_file):
            check_rules(rules)

    def _with_file(self, kept: Sequence[Rule]) -> tuple[Rule, ...]:
        """Let the rules of the file stand in for those that a file once brought."""
        if not self._of_file:
            return tuple(kept)
        own = {rule.name for rule in self._of_file}
        by_hand = [each for each in kept if each.origin is not Origin.FILE]
        return (*self._of_file, *(each for each in by_hand if each.name not in own))


def _find(name: str, rules: Mapping[str, Rule]) -> Rule:
    if name not in rules:
        raise RuleNotFound(f"there is no rule {name!r}{_suggestion(name, rules)}")
    return rules[name]


def _suggestion(name: str, known: Mapping[str, Rule]) -> str:
    if not known:
        return "; there are none"
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
