"""Rules as they go in and out, in the words of the configuration file."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from replicator.api.v1.parameters import Answer, Asked, Duration, Listing
from replicator.api.v1.run_models import Bytes
from replicator.config.rule_file import rule_table
from replicator.planning.error_budget import ALLOWED, ErrorBudget
from replicator.planning.rule import Rule
from replicator.service.rules.status import RuleStatus
from replicator.store.records import RunRecord

_Size = Annotated[str, Field(max_length=40, examples=["8MiB"])]
_Text = Annotated[str, Field(min_length=1, max_length=1000)]
_Texts = Annotated[list[_Text], Field(max_length=1000)]
_Count = Annotated[int, Field(ge=0, le=2**31 - 1)]


class Repositories(Asked):
    """Which repositories of a pattern; globs."""

    include: _Texts | None = None
    exclude: _Texts | None = None


class Tags(Asked):
    """Which tags; all of them have to hold."""

    include: _Texts | None = None
    exclude: _Texts | None = None
    regex: _Texts | None = None
    exclude_regex: _Texts | None = None
    semver: _Text | None = None
    prerelease: bool | None = None
    latest: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    order: Annotated[str, Field(pattern="^(version|created)$")] | None = None
    newer_than: Duration | None = None
    older_than: Duration | None = None
    min_tags: _Count | None = None
    labels: _Texts | None = None
    annotations: _Texts | None = None
    artifact_types: _Texts | None = None
    max_size: _Size | None = None


class Definition(Asked):
    """A rule, as `[[rules]]` in the configuration file; what is left out has its default."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    source: _Text
    destinations: Annotated[list[_Text], Field(min_length=1, max_length=100)]
    repositories: Repositories | None = None
    tags: Tags | None = None
    platforms: _Texts | None = None
    referrers: bool | None = None
    pruned_referrers: Annotated[str, Field(pattern="^(report|repoint)$")] | None = None
    foreign_layers: bool | None = None
    overwrite: Annotated[str, Field(pattern="^(always|never|if-ours)$")] | None = None
    immutable: _Texts | None = None
    prune: Annotated[str, Field(pattern="^(off|mirror)$")] | None = None
    prune_after: Duration | None = None
    max_prune: _Count | None = None
    allow_empty: bool | None = None
    schedule: _Text | None = None
    timezone: _Text | None = None
    jitter: Duration | None = None
    maintenance: _Texts | None = None
    objective: Duration | None = None
    enabled: bool | None = None

    def table(self) -> dict[str, Any]:
        """Return what was said, as a file would have it."""
        return self.model_dump(exclude_none=True)


class RuleAnswer(Answer):
    """A rule. `origin` is `file` for one that a configuration file has, and only it changes."""

    name: str
    revision: int
    origin: str
    enabled: bool
    definition: dict[str, Any]

    @classmethod
    def of(cls, rule: Rule) -> RuleAnswer:
        return cls(
            name=rule.name,
            revision=rule.revision,
            origin=rule.origin.value,
            enabled=rule.enabled,
            definition=rule_table(rule),
        )


class RulePage(Listing):
    items: list[RuleAnswer]


class FailingTag(Answer):
    """A tag whose last try failed."""

    source: str
    destination: str
    tag: str
    failures: int
    error_class: str
    side: str
    message: str
    since: datetime
    next_try_at: datetime


class ErrorBudgetAnswer(Answer):
    """For how long in the last 30 days a rule was behind its objective, of how long it may be.

    `since` is from when its runs are known.
    """

    behind_seconds: float
    allowed_seconds: float
    since: datetime

    @classmethod
    def of(cls, budget: ErrorBudget) -> ErrorBudgetAnswer:
        return cls(
            behind_seconds=round(budget.behind.total_seconds(), 3),
            allowed_seconds=ALLOWED.total_seconds(),
            since=budget.since,
        )


class UnderWay(Answer):
    """A run that is not finished, and its bytes so far."""

    run: str
    state: str
    started_at: datetime | None
    bytes: Bytes

    @classmethod
    def of(cls, run: RunRecord) -> UnderWay:
        return cls(
            run=run.id,
            state=run.state.value,
            started_at=run.began_at,
            bytes=Bytes.of(run.totals),
        )


class StatusAnswer(Answer):
    """How a rule is doing. `lag_seconds` is how old that is which the destination surely has."""

    rule: str
    enabled: bool
    under_way: UnderWay | None
    last_run: str | None
    state: str | None
    last_run_at: datetime | None
    last_success: str | None
    last_success_at: datetime | None
    lag_seconds: float | None
    next_due: datetime | None
    error_budget: ErrorBudgetAnswer | None
    failing: list[FailingTag]

    @classmethod
    def of(cls, status: RuleStatus) -> StatusAnswer:
        last, good = status.last, status.last_success
        return cls(
            rule=status.rule.name,
            enabled=status.rule.enabled,
            under_way=None if status.under_way is None else UnderWay.of(status.under_way),
            last_run=last.id if last else None,
            state=last.state.value if last else None,
            last_run_at=last.started_at if last else None,
            last_success=good.id if good else None,
            last_success_at=good.started_at if good else None,
            lag_seconds=None if status.lag is None else round(status.lag.total_seconds(), 3),
            next_due=status.next_due,
            error_budget=None if status.budget is None else ErrorBudgetAnswer.of(status.budget),
            failing=[
                FailingTag(
                    source=each.source,
                    destination=str(each.destination),
                    tag=str(each.tag),
                    failures=each.failures,
                    error_class=each.kind,
                    side=each.side,
                    message=each.message,
                    since=each.since,
                    next_try_at=each.next_try_at,
                )
                for each in status.failing
            ],
        )


class StatusPage(Listing):
    items: list[StatusAnswer]
