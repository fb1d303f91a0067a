"""Between runs and their rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from replicator.planning.rule import Rule
from replicator.store.documents import rule_from_document, rule_to_document
from replicator.store.records import RunRecord, RunState, Totals
from replicator.store.run_id import new_run_id


def new_run_row(
    rule: Rule, trigger: str, now: datetime, columns: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a row for a run of *rule*; *columns* say in which state, and whose it is."""
    return {
        "id": new_run_id(now),
        "rule": rule.name,
        "snapshot": rule_to_document(rule),
        "trigger": trigger,
        "attempt": 0,
        "error": "",
        **totals_row(Totals()),
        **columns,
    }


def totals_row(totals: Totals) -> dict[str, Any]:
    """Return the columns of a run in numbers."""
    return {
        "counts": dict(totals.counts),
        "bytes_moved": totals.bytes_moved,
        "bytes_mounted": totals.bytes_mounted,
        "bytes_skipped": totals.bytes_skipped,
        "requests": {registry: dict(kinds) for registry, kinds in totals.requests.items()},
    }


def run_from_row(row: Any) -> RunRecord:
    """Read a run."""
    return RunRecord(
        id=row.id,
        number=row.number,
        rule=rule_from_document(row.rule, row.snapshot),
        trigger=row.trigger,
        state=RunState(row.state),
        owner=row.owner,
        started_at=row.started_at,
        finished_at=row.finished_at,
        totals=Totals(
            row.counts, row.bytes_moved, row.bytes_mounted, row.bytes_skipped, row.requests
        ),
        error=row.error,
        queued_at=row.queued_at,
        attempt=row.attempt,
        only=None if row.only is None else tuple(row.only),
        retry=row.retry,
    )
