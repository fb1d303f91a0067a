"""Plans as they go out."""

from __future__ import annotations

from collections import Counter

from replicator.api.v1.parameters import Answer
from replicator.planning.plan import Action
from replicator.service.records.report import LeftOut, RunReport, TagFailure


class PlannedTag(Answer):
    """What would be done about one destination tag, and why; `size` is about how many bytes."""

    decision: str
    reason: str
    source: str
    destination: str
    tag: str
    digest: str | None
    size: int | None

    @classmethod
    def of(cls, action: Action) -> PlannedTag:
        source = "" if action.source is None else f"{action.source}:{action.source_tag}"
        return cls(
            decision=action.decision.value,
            reason=action.reason,
            source=source,
            destination=str(action.destination),
            tag=str(action.tag),
            digest=None if action.digest is None else str(action.digest),
            size=action.size,
        )


class LeftOutTag(Answer):
    """A tag at the source that the rule does not select, and why."""

    source: str
    reason: str

    @classmethod
    def of(cls, left_out: LeftOut) -> LeftOutTag:
        return cls(source=left_out.source, reason=left_out.reason)


class PlanFailure(Answer):
    """What could not be found out."""

    source: str
    destination: str
    tag: str
    error_class: str
    side: str
    message: str

    @classmethod
    def of(cls, failure: TagFailure) -> PlanFailure:
        return cls(
            source=failure.source,
            destination=failure.destination,
            tag=failure.tag,
            error_class=failure.error.kind,
            side=failure.error.side,
            message=failure.error.message,
        )


class PlanAnswer(Answer):
    """What a run would do. `counts` are of all tags; of each list there is no more than `limit`,
    and `complete` is false when that left something out, or something could not be found out."""

    rule: str
    state: str
    counts: dict[str, int]
    actions: list[PlannedTag]
    left_out: list[LeftOutTag]
    failures: list[PlanFailure]
    complete: bool

    @classmethod
    def of(cls, report: RunReport, limit: int) -> PlanAnswer:
        longest = max(map(len, (report.actions, report.left_out, report.failures)))
        return cls(
            rule=report.rule,
            state=report.state.value,
            counts=Counter(action.decision.value for action in report.actions),
            actions=list(map(PlannedTag.of, report.actions[:limit])),
            left_out=list(map(LeftOutTag.of, report.left_out[:limit])),
            failures=list(map(PlanFailure.of, report.failures[:limit])),
            complete=longest <= limit and not report.failures and not report.error,
        )
