"""Plans as files: what was reviewed, to be carried out as it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from replicator.errors import ConfigError, ReplicatorError
from replicator.planning.plan import Action
from replicator.planning.rule import Rule
from replicator.service.records.action_document import action_from_json, action_to_json
from replicator.service.records.report import RunReport
from replicator.store.documents import rule_from_document, rule_to_document
from replicator.values import dataclass

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class PlannedRule:
    """What a plan says of one rule, which is as it was then."""

    rule: Rule
    actions: Sequence[Action]


def plan_to_document(reports: Iterable[RunReport], *, now: datetime) -> dict[str, Any]:
    """Return the plans that dry runs ended with, for a file."""
    return {
        "version": _VERSION,
        "made_at": now.isoformat(),
        "plans": [
            {
                "rule": rule_to_document(report.definition),
                "actions": list(map(action_to_json, report.actions)),
            }
            for report in reports
            if report.definition is not None
        ],
    }


def plan_from_document(document: Any, *, where: str) -> tuple[PlannedRule, ...]:
    """Read what ``plan_to_document`` wrote. Raises ConfigError that says *where*."""
    if not isinstance(document, dict) or document.get("version") != _VERSION:
        raise ConfigError(f"{where}: is no plan; take a file from `replicate plan --out`")
    try:
        return tuple(
            PlannedRule(
                rule_from_document(plan["rule"]["name"], plan["rule"]),
                tuple(map(action_from_json, plan["actions"])),
            )
            for plan in document["plans"]
        )
    except (KeyError, TypeError, ValueError, AttributeError, ReplicatorError) as error:
        raise ConfigError(f"{where}: the plan was changed by hand: {error!r}") from None
