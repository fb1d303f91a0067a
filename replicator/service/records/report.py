"""RunReport: what a run did, for people, for programs and for the exit code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any, Final

from replicator.errors import PullsSpent, RateLimited, RegistryError, ReplicatorError, TagImmutable
from replicator.planning.plan import Action
from replicator.planning.rule import Rule
from replicator.store.records import ActionError, RunState, Totals
from replicator.transfer.order import Tally
from replicator.transfer.sides import root_of
from replicator.values import dataclass

SUCCESS: Final = 0
FAILED: Final = 1
PARTIAL: Final = 3
EMPTY: Final = 4

# What a report counts tags by; each is in every report.
COUNTS: Final = (
    *("selected", "copied", "skipped", "failed", "blocked", "conflict", "deferred"),
    *("gone", "pruned"),
)


@dataclass(frozen=True, slots=True)
class TagFailure:
    """A tag that is not at its destination as it should be, and why.

    ``destination`` and ``tag`` are empty when it was not even known which tags there are.
    """

    source: str
    destination: str
    tag: str
    error: ActionError
    attempts: int = 1

    def to_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "destination": self.destination,
            "tag": self.tag,
            "class": self.error.kind,
            "side": self.error.side,
            "status": self.error.status,
            "code": self.error.code,
            "attempts": self.attempts,
            "message": self.error.message,
        }


@dataclass(frozen=True, slots=True)
class TagCopied:
    """A tag that was written, what it names now, and why."""

    source: str
    destination: str
    tag: str
    digest: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "destination": self.destination,
            "tag": self.tag,
            "digest": self.digest,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A tag at the source that the rule does not select, and why."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class RunReport:
    """What one run of a rule did.

    ``run`` is empty for a dry run, which leaves no record but has ``actions`` and ``left_out``:
    what would be done, and what would not. ``definition`` is the rule as it was carried out.
    """

    rule: str
    state: RunState
    started_at: datetime
    finished_at: datetime
    run: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    requests: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    failures: Sequence[TagFailure] = ()
    actions: Sequence[Action] = ()
    left_out: Sequence[LeftOut] = ()
    error: str = ""
    definition: Rule | None = None
    copied: Sequence[TagCopied] = ()

    @property
    def totals(self) -> Totals:
        """The run in numbers, as the database keeps it."""
        tally = self.tally
        return Totals(
            self.counts,
            tally.bytes_moved,
            tally.bytes_mounted,
            tally.bytes_skipped,
            self.requests,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the report as it stands in the file of ``--report``."""
        tally = self.tally
        return {
            "run": self.run,
            "rule": self.rule,
            "state": self.state.value,
            "error": self.error,
            "started_at": self.started_at.isoformat(),
            "finished_at": self.finished_at.isoformat(),
            "seconds": round((self.finished_at - self.started_at).total_seconds(), 3),
            "counts": {name: self.counts.get(name, 0) for name in COUNTS},
            "bytes": {
                "moved": tally.bytes_moved,
                "mounted": tally.bytes_mounted,
                "skipped": tally.bytes_skipped,
            },
            "blobs": {
                "moved": tally.blobs_moved,
                "mounted": tally.blobs_mounted,
                "skipped": tally.blobs_skipped,
            },
            "requests": {host: dict(kinds) for host, kinds in self.requests.items()},
            "tags": [failure.to_json() for failure in self.failures],
            "copied": [tag.to_json() for tag in self.copied],
        }


def to_json(reports: Iterable[RunReport]) -> dict[str, Any]:
    """Return the content of a ``--report`` file."""
    return {"runs": [report.to_json() for report in reports]}


def exit_code(reports: Iterable[RunReport]) -> int:
    """Return the exit code for all runs together: the worst of them.

    0 success or nothing to do · 1 failed · 3 partial · 4 a rule selected nothing.
    """
    states = {report.state for report in reports}
    if states & {RunState.FAILED, RunState.CANCELLED}:
        return FAILED
    if RunState.PARTIAL in states:
        return PARTIAL
    return EMPTY if RunState.EMPTY in states else SUCCESS


def count_of(error: ReplicatorError) -> str:
    """Return what a tag that failed with *error* is counted as."""
    match root_of(error):
        case TagImmutable():
            return "blocked"
        case RateLimited() | PullsSpent():
            return "deferred"
        case _:
            return "failed"


def describe_error(error: ReplicatorError, *, side: str) -> ActionError:
    """Return what a record of a failure keeps of *error*."""
    root = root_of(error)
    status, codes = (root.status, root.codes) if isinstance(root, RegistryError) else (None, ())
    return ActionError(error.kind, str(error), side, status, codes[0] if codes else "")
