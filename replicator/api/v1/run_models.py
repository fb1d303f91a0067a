"""Runs and their tags as they go out."""

from __future__ import annotations

from datetime import datetime

from replicator.api.v1.parameters import Answer, Listing
from replicator.store.records import ActionError, ActionRecord, RunRecord, Totals
from replicator.store.run_pages import Progress


class Bytes(Answer):
    """Bytes of blobs, by how they came to be at the destination."""

    moved: int
    mounted: int
    skipped: int

    @classmethod
    def of(cls, record: Totals | ActionRecord | Progress) -> Bytes:
        return cls(
            moved=record.bytes_moved, mounted=record.bytes_mounted, skipped=record.bytes_skipped
        )


class RunAnswer(Answer):
    """One execution of a rule. `only` are the source tags that it is limited to, if it is.

    While it goes on, `bytes` are those until a few seconds ago, and `counts` and `requests` empty.
    """

    id: str
    rule: str
    revision: int
    state: str
    trigger: str
    error: str
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    attempt: int
    counts: dict[str, int]
    bytes: Bytes
    requests: dict[str, dict[str, int]]
    only: list[str] | None

    @classmethod
    def of(cls, run: RunRecord) -> RunAnswer:
        return cls(
            id=run.id,
            rule=run.rule.name,
            revision=run.rule.revision,
            state=run.state.value,
            trigger=run.trigger,
            error=run.error,
            queued_at=run.queued_at,
            started_at=run.began_at,
            finished_at=run.finished_at,
            attempt=run.attempt,
            counts=dict(run.totals.counts),
            bytes=Bytes.of(run.totals),
            requests={host: dict(kinds) for host, kinds in run.totals.requests.items()},
            only=None if run.only is None else list(run.only),
        )


class RunPage(Listing):
    items: list[RunAnswer]


class ActionErrorAnswer(Answer):
    """Why a tag failed: the class of the error, whose answer it was, and what it said."""

    error_class: str
    message: str
    side: str
    status: int | None
    code: str

    @classmethod
    def of(cls, error: ActionError) -> ActionErrorAnswer:
        return cls(
            error_class=error.kind,
            message=error.message,
            side=error.side,
            status=error.status,
            code=error.code,
        )


class ActionAnswer(Answer):
    """A destination tag of a run: what was decided, why, and what became of it."""

    source: str
    destination: str
    tag: str
    decision: str
    reason: str
    outcome: str
    source_digest: str | None
    digest: str | None
    attempts: int
    bytes: Bytes
    error: ActionErrorAnswer | None

    @classmethod
    def of(cls, action: ActionRecord) -> ActionAnswer:
        error = action.error
        return cls(
            source=action.source,
            destination=str(action.destination),
            tag=str(action.tag),
            decision=action.decision.value,
            reason=action.reason,
            outcome=action.outcome.value,
            source_digest=None if action.source_digest is None else str(action.source_digest),
            digest=None if action.digest is None else str(action.digest),
            attempts=action.attempts,
            bytes=Bytes.of(action),
            error=None if error is None else ActionErrorAnswer.of(error),
        )


class ActionPage(Listing):
    items: list[ActionAnswer]
