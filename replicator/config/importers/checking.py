"""Checking what came of the files, by what reads our own."""

from __future__ import annotations

from replicator.config.importers.draft import Draft, Imported, table
from replicator.config.rules import read_rules
from replicator.errors import ReplicatorError
from replicator.planning.rule import Rule
from replicator.planning.validation import check_rule, check_rules


def check(imported: Imported) -> None:
    """Note rules that cannot be used, and those that cannot be used together."""
    usable = [rule for draft in imported.rules for rule in _read(draft)]
    try:
        check_rules(usable)
    except ReplicatorError as error:
        imported.remarks.append(f"NOT YET USABLE: {error}")


def _read(draft: Draft) -> tuple[Rule, ...]:
    try:
        (rule,) = read_rules([table(draft)], "")
        check_rule(rule)
    except ReplicatorError as error:
        draft.lose(str(error))
        draft.unusable = True
        return ()
    return (rule,)
