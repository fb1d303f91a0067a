"""What a run amounts to, from what became of its tags."""

from __future__ import annotations

from collections.abc import Mapping

from replicator.planning.rule import Overwrite, Rule
from replicator.store.records import RunState


def state_of(rule: Rule, counts: Mapping[str, int], *, held: int, planned: bool) -> RunState:
    """Return what a run of *rule* amounts to, once everything has been tried.

    *held* of its tags only wait for another try; *planned* says that something would be copied.
    """

    def count(name: str) -> int:
        return counts.get(name, 0)

    troubles = count("failed") + count("blocked") + count("deferred")
    if rule.overwrite is not Overwrite.NEVER:
        # Whoever says "never" has asked for conflicts.
        troubles += count("conflict")
    if troubles:
        # What is only put off did not fail, even if that is all there was.
        only_later = troubles == count("deferred") + held
        some = planned or count("copied") or count("skipped") or only_later
        return RunState.PARTIAL if some else RunState.FAILED
    if count("selected") < rule.tags.min_tags:
        return RunState.FAILED
    if not count("selected") and not rule.allow_empty:
        return RunState.EMPTY
    return RunState.SUCCEEDED


def complaint_of(rule: Rule, counts: Mapping[str, int], *, is_incomplete: bool) -> str:
    """Say what is wrong with a run as a whole, if anything."""
    wanted, selected = rule.tags.min_tags, counts.get("selected", 0)
    if selected < wanted and not is_incomplete:
        return f"{selected} tags are selected, fewer than min_tags = {wanted}"
    return ""
