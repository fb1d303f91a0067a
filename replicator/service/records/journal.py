"""Journal: what a run decided and did; counted, and written down in batches."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from replicator.errors import PullsSpent, ReplicatorError, TagImmutable
from replicator.planning.backoff import Failing
from replicator.planning.observation import Published
from replicator.planning.plan import Action, Decision
from replicator.planning.rule import Rule
from replicator.service.outside.protocols import Actions, Ledger
from replicator.service.outside.requests import RequestCounts, by_name
from replicator.service.records.report import (
    COUNTS,
    LeftOut,
    RunReport,
    TagCopied,
    TagFailure,
    count_of,
    describe_error,
)
from replicator.service.records.run_notes import RunNotes
from replicator.service.records.verdict import complaint_of, state_of
from replicator.store.records import (
    ActionError,
    ActionRecord,
    Outcome,
    RunRecord,
    RunState,
    TagKey,
)
from replicator.transfer.order import Result, Tally, TallySoFar
from replicator.transfer.sides import root_of

# So much is kept in memory at most before it is written. What a killed process loses of it costs
# the next run a look at the destination.
_BATCH: Final = 200
_LONGEST_WAIT: Final = timedelta(seconds=5)


class Journal:
    """Keeps the counts of one run, and writes its actions and the ledger's rows.

    A tag that is as it should be is only counted: the ledger says of each when it was published,
    and a history of nothing happening would bury the rest. Without the *record* of a run that has
    begun nothing is written.
    """

    def __init__(
        self,
        rule: Rule,
        *,
        ledger: Ledger,
        actions: Actions,
        notes: RunNotes,
        clock: Callable[[], datetime],
        record: RunRecord | None = None,
    ) -> None:
        self._rule = rule
        self._ledger = ledger
        self._kept = actions
        self._clock = clock
        self._started_at = record.started_at if record else clock()
        self._record = record
        self._flushing = asyncio.Lock()
        self._rows: list[Published] = []
        self._records: list[ActionRecord] = []
        self._waiting_since: datetime | None = None
        self._held = 0
        self._under_way: dict[object, list[TallySoFar]] = {}
        self._copied_before: frozenset[TagKey] = frozenset()
        self.notes = notes
        self.is_incomplete = False
        self.counts: Counter[str] = Counter()
        self.tally = Tally()
        self.failures: list[TagFailure] = []
        self.copied: list[TagCopied] = []
        self.actions: list[Action] = []
        self.left_out: list[LeftOut] = []
        # Seconds until a limit on pulls lets more of it be done.
        self.put_off: float | None = None

    @property
    def is_dry_run(self) -> bool:
        """Whether nothing is written, as the run was not started."""
        return self._record is None

    @property
    def run(self) -> str:
        """The run's id; empty for a dry run."""
        return self._record.id if self._record else ""

    @property
    def number(self) -> int:
        """The run's number, and so the sequence of all that it publishes."""
        return self._record.number if self._record else 0

    def skip(self, action: Action, row: Published | None = None, *, counted: bool = True) -> None:
        """A tag is as it should be; *row* is what the ledger should learn from that, if any."""
        self.counts[self._when_in_step(action)] += counted
        self.notes.is_well(action.destination, action.tag)
        if row is not None:
            self._keep(row)

    def turn_down(self, action: Action) -> None:
        """A tag is left alone because of a conflict or a policy."""
        blocked = action.decision is Decision.BLOCKED
        self.counts["blocked" if blocked else "conflict"] += 1
        kind = TagImmutable.kind if blocked else "conflict"
        error = ActionError(kind, action.reason, "destination")
        self._fail(_source_of(action), action, error)
        self._keep_record(_record(action, Outcome.UNCHANGED))

    def hold(self, action: Action, failing: Failing) -> None:
        """A tag that failed is left alone until it is time for another try."""
        self._held += 1
        self.counts["blocked"] += 1
        error = ActionError(failing.kind, action.reason, failing.side)
        self._fail(failing.source, action, error)
        self._keep_record(_record(action, Outcome.UNCHANGED))

    def prune(self, action: Action) -> None:
        """A tag whose source is gone was removed."""
        self.counts["pruned"] += 1
        self.notes.has_returned(action.destination, action.tag)
        self._keep_record(_record(action, Outcome.WRITTEN))

    def leave_out(self, source: str, reason: str) -> None:
        """A tag is not selected after all; a plan shows why."""
        if self.is_dry_run:
            self.left_out.append(LeftOut(source, reason))

    def copy(self, action: Action, result: Result, row: Published) -> None:
        """A tag was copied, or turned out to be there already."""
        self.counts["copied" if result.written else self._when_in_step(action)] += 1
        self.notes.is_well(action.destination, action.tag)
        self.tally.add(result.tally)
        self._keep(row)
        outcome = Outcome.WRITTEN if result.written else Outcome.UNCHANGED
        if result.written:
            self.copied.append(_copied(action, result))
        self._keep_record(_record(action, outcome, result))

    def learn(self, row: Published) -> None:
        """The ledger should know of a tag that came along with another."""
        self._keep(row)

    def fail(
        self,
        action: Action,
        error: ReplicatorError,
        *,
        side: str,
        result: Result | None = None,
    ) -> None:
        """A tag could not be observed or copied."""
        self._heed_limit(error)
        self.counts[count_of(error)] += 1
        described = describe_error(error, side=side)
        if action.decision is not Decision.PRUNE:
            self.notes.failed(action, error, side=side, run=self.run)
        attempts = result.attempts if result else 1
        self._fail(_source_of(action), action, described, attempts)
        if result is not None:
            self.tally.add(result.tally)
        self._keep_record(_record(action, Outcome.FAILED, result, described))

    @contextmanager
    def carrying(self) -> Iterator[list[TallySoFar]]:
        """Count what a copy brings, as those who are put into the list tell it, while it goes on.

        What came of it is noted afterwards; of one that breaks off, what it brought is counted.
        """
        copy, so_far = object(), list[TallySoFar]()
        self._under_way[copy] = so_far
        try:
            yield so_far
        except BaseException:
            for ask in so_far:
                self.tally.add(ask())
            raise
        finally:
            del self._under_way[copy]

    def so_far(self) -> Tally:
        """Return what was brought by now, with what is on its way."""
        total = Tally()
        total.add(self.tally)
        for copy in self._under_way.values():
            for ask in copy:
                total.add(ask())
        return total

    def miss(self, what: str, error: ReplicatorError, *, side: str) -> None:
        """Something could not be listed, so tags may be missing that nobody knows of."""
        self.is_incomplete = True
        self._heed_limit(error)
        self.counts[count_of(error)] += 1
        self.failures.append(TagFailure(what, "", "", describe_error(error, side=side)))

    def take_over(
        self, counts: Mapping[str, int], tally: Tally, *, held: int, incomplete: bool
    ) -> None:
        """Go on with what the items of a run came to."""
        self.counts.update(counts)
        self.tally.add(tally)
        self._held += held
        self.is_incomplete |= incomplete

    def go_on_after(self, copied: frozenset[TagKey]) -> None:
        """Count as copied what an earlier attempt of the same run copied."""
        self._copied_before = copied

    @property
    def held(self) -> int:
        """How many tags only wait for another try."""
        return self._held

    @property
    def state(self) -> RunState:
        """What the run amounts to, once everything has been tried."""
        planned = any(action.decision is Decision.COPY for action in self.actions)
        return state_of(self._rule, self.counts, held=self._held, planned=planned)

    @property
    def complaint(self) -> str:
        """What is wrong with the run as a whole, if anything."""
        return complaint_of(self._rule, self.counts, is_incomplete=self.is_incomplete)

    async def flush_if_due(self) -> None:
        """Write when enough has come together, or has waited long enough."""
        size = len(self._rows) + len(self._records)
        if self._waiting_since is None:
            return
        if size >= _BATCH or self._clock() - self._waiting_since >= _LONGEST_WAIT:
            await self.flush()

    async def flush(self) -> None:
        """Write all that has come together; kept for the next time when that fails."""
        async with self._flushing:
            rows, self._rows = self._rows, []
            records, self._records = self._records, []
            self._waiting_since = None
            try:
                if rows:
                    await self._ledger.record(rows, (), at=self._clock())
                    rows = []
                if records:
                    await self._kept.save(self.run, records)
                    records = []
                if not self.is_dry_run:
                    await self.notes.flush()
            except BaseException:
                self._rows = rows + self._rows
                self._records = records + self._records
                raise

    def report(
        self, state: RunState, requests: RequestCounts | None = None, *, error: str = ""
    ) -> RunReport:
        """Return what the run did until now."""
        return RunReport(
            self._rule.name,
            state,
            self._started_at,
            self._clock(),
            self.run,
            {name: self.counts[name] for name in COUNTS},
            self.tally,
            by_name(requests) if requests else {},
            sorted(self.failures, key=lambda each: (each.source, each.destination, each.tag)),
            sorted(self.actions, key=lambda each: (each.destination, each.tag)),
            sorted(self.left_out, key=lambda each: each.source),
            error,
            self._rule,
            sorted(self.copied, key=lambda each: (each.source, each.destination, each.tag)),
        )

    def _when_in_step(self, action: Action) -> str:
        """Return as what a tag counts that is found as it should be."""
        before = (action.destination, action.tag) in self._copied_before
        return "copied" if before else "skipped"

    def _fail(self, source: str, action: Action, error: ActionError, attempts: int = 1) -> None:
        self.failures.append(
            TagFailure(source, str(action.destination), str(action.tag), error, attempts)
        )

    def _heed_limit(self, error: ReplicatorError) -> None:
        root = root_of(error)
        if isinstance(root, PullsSpent) and root.retry_after is not None:
            self.put_off = max(self.put_off or 0.0, root.retry_after)

    def _keep(self, row: Published) -> None:
        if not self.is_dry_run:
            self._rows.append(row)
            self._waiting_since = self._waiting_since or self._clock()

    def _keep_record(self, record: ActionRecord) -> None:
        if not self.is_dry_run:
            self._records.append(record)
            self._waiting_since = self._waiting_since or self._clock()


def _source_of(action: Action) -> str:
    return "" if action.source is None else f"{action.source}:{action.source_tag}"


def _copied(action: Action, result: Result) -> TagCopied:
    return TagCopied(
        _source_of(action),
        str(action.destination),
        str(action.tag),
        str(result.digest),
        action.reason,
    )


def _record(
    action: Action,
    outcome: Outcome,
    result: Result | None = None,
    error: ActionError | None = None,
) -> ActionRecord:
    tally = result.tally if result else Tally()
    return ActionRecord(
        action.destination,
        action.tag,
        action.decision,
        action.reason,
        _source_of(action),
        (result and result.source_digest) or action.digest,
        result.digest if result else None,
        outcome,
        error,
        result.attempts if result else 0,
        tally.bytes_moved,
        tally.bytes_mounted,
        tally.bytes_skipped,
    )
