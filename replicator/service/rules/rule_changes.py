"""Difference: what a file of rules would change in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from replicator.errors import ConfigError, RuleConflict
from replicator.planning.rule import Origin, Rule
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """Rules to be added, changed (before and after) and removed; the others stay as they are."""

    added: tuple[Rule, ...] = ()
    changed: tuple[tuple[Rule, Rule], ...] = ()
    removed: tuple[Rule, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    @classmethod
    def between(cls, kept: Sequence[Rule], wanted: Sequence[Rule], *, prune: bool) -> Difference:
        """Compare what is *kept* with what is *wanted*.

        With *prune*, rules that are not wanted are removed, those of a configuration file aside.
        Raises ConfigError when a wanted rule is one of those.
        """
        present = {rule.name: rule for rule in kept}
        for rule in wanted:
            if rule.name in present:
                refuse_file_rule(present[rule.name])
        names = {rule.name for rule in wanted}
        pairs = [(present[rule.name], rule) for rule in wanted if rule.name in present]
        return cls(
            tuple(rule for rule in wanted if rule.name not in present),
            tuple((old, new) for old, new in pairs if not _is_same(old, new)),
            tuple(each for each in kept if prune and _is_left_over(each, names)),
        )

    def apply(self, kept: Sequence[Rule]) -> tuple[Rule, ...]:
        """Return the rules as they are afterwards. Raises RuleConflict if *kept* are others."""
        present = {rule.name: rule for rule in kept}
        for old in (*(before for before, _ in self.changed), *self.removed):
            if present.get(old.name) != old:
                raise RuleConflict(f"rule {old.name!r} was changed meanwhile; look again")
        for rule in self.added:
            if rule.name in present:
                raise RuleConflict(f"rule {rule.name!r} was added meanwhile; look again")
        gone = {rule.name for rule in self.removed}
        after = {rule.name: rule for rule in kept if rule.name not in gone}
        after |= {rule.name: rule for _, rule in self.changed}
        after |= {rule.name: rule for rule in self.added}
        return tuple(after.values())


def refuse_file_rule(rule: Rule) -> None:
    """Raise ConfigError if *rule* is kept in a configuration file."""
    if rule.origin is Origin.FILE:
        raise ConfigError(
            f"rule {rule.name!r} comes from a configuration file; change it there, and the next "
            "`replicate run`, or start of `replicate serve`, brings it in"
        )


def _is_same(old: Rule, new: Rule) -> bool:
    return replace(new, revision=old.revision) == old


def _is_left_over(rule: Rule, wanted: set[str]) -> bool:
    return rule.origin is not Origin.FILE and rule.name not in wanted
