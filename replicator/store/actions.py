"""Between the records of actions and their rows."""

from __future__ import annotations

from typing import Any

from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.plan import Decision
from replicator.store.records import ActionError, ActionRecord, Outcome
from replicator.store.text import storable


def action_to_row(run_number: int, action: ActionRecord) -> dict[str, Any]:
    """Return the row of an action of one run."""
    error = action.error
    return {
        "run": run_number,
        "registry": action.destination.registry,
        "repository": action.destination.path,
        "tag": str(action.tag),
        "decision": action.decision.value,
        "reason": storable(action.reason),
        "source": action.source,
        "source_digest": _text(action.source_digest),
        "digest": _text(action.digest),
        "outcome": action.outcome.value,
        "error_kind": error and error.kind,
        "error_message": error and storable(error.message),
        "error_side": error and error.side,
        "error_status": error and error.status,
        "error_code": error and storable(error.code),
        "attempts": action.attempts,
        "bytes_moved": action.bytes_moved,
        "bytes_mounted": action.bytes_mounted,
        "bytes_skipped": action.bytes_skipped,
    }


def action_from_row(row: Any) -> ActionRecord:
    """Read an action."""
    return ActionRecord(
        destination=RepositoryName(row.registry, row.repository),
        tag=Tag(row.tag),
        decision=Decision(row.decision),
        reason=row.reason,
        source=row.source,
        source_digest=_digest(row.source_digest),
        digest=_digest(row.digest),
        outcome=Outcome(row.outcome),
        error=_error(row),
        attempts=row.attempts,
        bytes_moved=row.bytes_moved,
        bytes_mounted=row.bytes_mounted,
        bytes_skipped=row.bytes_skipped,
    )


def _error(row: Any) -> ActionError | None:
    if row.error_kind is None:
        return None
    return ActionError(
        row.error_kind, row.error_message, row.error_side, row.error_status, row.error_code
    )


def _text(digest: Digest | None) -> str | None:
    return None if digest is None else str(digest)


def _digest(text: str | None) -> Digest | None:
    return None if text is None else Digest.parse(text)
