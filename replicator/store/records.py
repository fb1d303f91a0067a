"""What the store hands out about runs: frozen values, never rows."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from typing import TypeAlias

from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.backoff import Failing
from replicator.planning.content import Refused
from replicator.planning.plan import Decision
from replicator.planning.pruning import Missing
from replicator.planning.rule import Rule
from replicator.values import dataclass

# A destination tag.
TagKey: TypeAlias = tuple[RepositoryName, Tag]


class RunState(enum.StrEnum):
    """QUEUED until a service takes it up, RUNNING until it is finished; PARTIAL when some tags
    failed, EMPTY when the rule selected none."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EMPTY = "empty"


class FireOutcome(enum.StrEnum):
    """What became of a due time: a run, or nothing, as another run was still active."""

    RUN = "run"
    SKIPPED_OVERLAP = "skipped_overlap"


class Outcome(enum.StrEnum):
    """What became of an action.

    PENDING was not reached yet, or never, if the run is finished. WRITTEN changed the
    destination's tag; UNCHANGED found it as it should be, or left it alone as decided.
    """

    PENDING = "pending"
    WRITTEN = "written"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ActionError:
    """Why an action failed: the error's kind, and the side, status and code of the answer."""

    kind: str
    message: str
    side: str = ""
    status: int | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class ActionRecord:
    """One destination tag of a run: what was decided, why, and what became of it.

    ``source`` is a reference with its tag, empty for a prune. ``source_digest`` and ``digest``
    are what the two sides name, None where that is not known. Bytes are those of blobs.
    """

    destination: RepositoryName
    tag: Tag
    decision: Decision
    reason: str
    source: str = ""
    source_digest: Digest | None = None
    digest: Digest | None = None
    outcome: Outcome = Outcome.PENDING
    error: ActionError | None = None
    attempts: int = 0
    bytes_moved: int = 0
    bytes_mounted: int = 0
    bytes_skipped: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """A run in numbers: tags by what became of them, bytes, requests by registry and kind.

    Of one that goes on there are bytes alone, those until a few seconds ago.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    bytes_moved: int = 0
    bytes_mounted: int = 0
    bytes_skipped: int = 0
    requests: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One execution of a rule, with the rule as it was then.

    ``number`` grows with every run of the database and is never used twice: it is the sequence
    of all that the run observes and publishes. ``owner`` says which process runs it, or did.
    ``queued_at`` is None unless services carry it out, which took it up ``attempt`` times. ``only``
    are the source tags that it is limited to, if it is; with ``retry`` no tag waits because it
    failed before. ``deferred_until`` is when the first of its items comes due that are put off,
    as far as it was asked for.
    """

    id: str
    number: int
    rule: Rule
    trigger: str
    state: RunState
    owner: str
    started_at: datetime
    finished_at: datetime | None = None
    totals: Totals = field(default_factory=Totals)
    error: str = ""
    queued_at: datetime | None = None
    attempt: int = 0
    only: tuple[str, ...] | None = None
    retry: bool = False
    deferred_until: datetime | None = None

    @property
    def began_at(self) -> datetime | None:
        """When it was first taken up; None while it waits for that."""
        return None if self.queued_at is not None and not self.attempt else self.started_at


@dataclass(frozen=True, slots=True)
class LatestRun:
    """The newest finished run of a rule, and since when the rule is in step.

    *counts* are its tags by what became of them. *in_step_at* is when the last good run began,
    None if there was none; *objective* how old that may be.
    """

    rule: str
    number: int
    run: str
    state: RunState
    finished_at: datetime
    error: str
    counts: Mapping[str, int]
    in_step_at: datetime | None
    objective: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Fire:
    """A due time of a rule, and what became of it.

    ``coalesced`` says how many earlier due times were missed and are settled with this one.
    """

    rule: str
    at: datetime
    outcome: FireOutcome
    run: str | None
    coalesced: int
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class RuleNotes:
    """What is remembered of the tags of one rule that are not simply in step.

    ``missing`` are gone from the source, ``refused`` turned down for what they contain.
    """

    failing: Mapping[TagKey, Failing] = field(default_factory=dict)
    missing: Mapping[TagKey, Missing] = field(default_factory=dict)
    refused: Mapping[TagKey, Refused] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NoteChanges:
    """New notes on tags, and the tags whose notes are to be forgotten, by kind."""

    failing: Sequence[Failing] = ()
    recovered: Collection[TagKey] = ()
    missing: Sequence[Missing] = ()
    returned: Collection[TagKey] = ()
    refused: Sequence[Refused] = ()
    accepted: Collection[TagKey] = ()
