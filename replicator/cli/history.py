"""Runs and their actions as the history shows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from replicator.cli.output import time_json
from replicator.cli.text import moved_text, seconds_text, size_text, time_text
from replicator.store.records import ActionRecord, RunRecord, Totals

RUN_HEADER: Final = (
    *("RUN", "RULE", "STATE", "TOOK", "COPIED", "IN STEP", "FAILED"),
    *("MOVED", "REQUESTS", "ASKED BY"),
)
ACTION_HEADER: Final = (
    *("ACTION", "OUTCOME", "SOURCE", "DESTINATION"),
    *("MOVED", "MOUNTED", "SKIPPED", "WHY"),
)


def run_row(run: RunRecord) -> tuple[object, ...]:
    """Return a run as a row of a table."""
    counts = run.totals.counts
    return (
        run.id,
        run.rule.name,
        run.state.value,
        _took(run),
        counts.get("copied", 0),
        counts.get("skipped", 0),
        _troubles(run),
        size_text(run.totals.bytes_moved),
        _requests(run),
        run.trigger,
    )


def run_fields(run: RunRecord) -> Iterator[tuple[str, object]]:
    """Yield what is to be said of one run."""
    totals = run.totals
    yield "run", run.id
    yield "rule", f"{run.rule.name} (revision {run.rule.revision})"
    yield "state", run.state.value
    yield "error", run.error
    if run.deferred_until is not None:
        yield "deferred until", f"{time_text(run.deferred_until)} UTC"
    yield "asked by", run.trigger
    began = run.began_at
    yield "started", "-" if began is None else f"{time_text(began)} UTC"
    yield "waited", _waited(run)
    yield "took", _took(run)
    counts = totals.counts.items()
    yield "tags", ", ".join(f"{number:,} {name}" for name, number in counts if number)
    yield "bytes", moved_text(totals) + ("" if run.finished_at else " so far")
    for registry, kinds in totals.requests.items():
        listed = ", ".join(f"{number:,} {kind}" for kind, number in kinds.items())
        yield "requests", f"{registry}: {listed}"


def run_json(run: RunRecord) -> dict[str, Any]:
    """Return a run for programs, in the words of a report."""
    totals = run.totals
    return {
        "run": run.id,
        "rule": run.rule.name,
        "revision": run.rule.revision,
        "state": run.state.value,
        "error": run.error,
        "trigger": run.trigger,
        "started_at": time_json(run.began_at),
        "finished_at": time_json(run.finished_at),
        "deferred_until": time_json(run.deferred_until),
        "counts": dict(totals.counts),
        "bytes": _bytes_json(totals),
        "requests": {registry: dict(kinds) for registry, kinds in totals.requests.items()},
    }


def progress_json(run: RunRecord) -> dict[str, Any]:
    """Return for programs how far an unfinished run is."""
    return {
        "run": run.id,
        "state": run.state.value,
        "started_at": time_json(run.began_at),
        "bytes": _bytes_json(run.totals),
    }


def action_row(action: ActionRecord) -> tuple[object, ...]:
    """Return a tag of a run as a row of a table."""
    return (
        action.decision.value,
        action.outcome.value,
        action.source,
        f"{action.destination}:{action.tag}",
        size_text(action.bytes_moved),
        size_text(action.bytes_mounted),
        size_text(action.bytes_skipped),
        action.reason if action.error is None else action.error.message,
    )


def action_json(action: ActionRecord) -> dict[str, Any]:
    """Return a tag of a run for programs, in the words of a report."""
    error = action.error
    return {
        "source": action.source,
        "destination": str(action.destination),
        "tag": str(action.tag),
        "decision": action.decision.value,
        "reason": action.reason,
        "outcome": action.outcome.value,
        "source_digest": None if action.source_digest is None else str(action.source_digest),
        "digest": None if action.digest is None else str(action.digest),
        "attempts": action.attempts,
        "bytes": _bytes_json(action),
        "class": None if error is None else error.kind,
        "side": None if error is None else error.side,
        "status": None if error is None else error.status,
        "code": None if error is None else error.code,
        "message": None if error is None else error.message,
    }


def _bytes_json(of: Totals | ActionRecord) -> dict[str, int]:
    return {"moved": of.bytes_moved, "mounted": of.bytes_mounted, "skipped": of.bytes_skipped}


def _waited(run: RunRecord) -> str:
    """Say how long nobody had time for it; empty if it was begun by whoever asked."""
    if run.queued_at is None or run.began_at is None:
        return ""
    return f"{seconds_text((run.began_at - run.queued_at).total_seconds())} for a worker"


def _took(run: RunRecord) -> str:
    """Say how long it was from its beginning to its end; what ended in the queue took nothing."""
    if run.finished_at is None or run.began_at is None:
        return "-"
    return seconds_text((run.finished_at - run.began_at).total_seconds())


def _troubles(run: RunRecord) -> int:
    return sum(run.totals.counts.get(name, 0) for name in ("failed", "blocked", "deferred"))


def _requests(run: RunRecord) -> int:
    return sum(sum(kinds.values()) for kinds in run.totals.requests.values())
