"""Closing: the end of a run whose items are all done, as if one process had carried it out."""

from __future__ import annotations

from dataclasses import replace

from replicator.service.items.attempt import Attempt
from replicator.service.items.item_book import Items
from replicator.service.outside.requests import RequestCounts, by_name
from replicator.service.processes.steps import PassStep, Step
from replicator.service.records.report import RunReport
from replicator.service.records.summary import Summary
from replicator.service.running.means import Means
from replicator.service.running.pruning import Gone
from replicator.store.records import RunState


async def close(
    attempt: Attempt,
    means: Means,
    items: Items,
    requests: RequestCounts,
    pass_step: PassStep,
) -> RunReport:
    """Sum up, remove what is gone from the source, and end the run. Raises StoreError."""
    pass_step(Step.AFTER_CLOSING_CLAIM)
    claim, journal = attempt.claim, attempt.journal
    total = Summary.of_all(await items.summaries(claim))
    journal.take_over(total.counts, total.tally, held=total.held, incomplete=total.incomplete)
    is_cancelled = await items.is_cancelled(claim)
    if attempt.shared.rule is not None and not is_cancelled:
        await _tidy_up(attempt, total)
    await journal.flush()
    state = RunState.CANCELLED if is_cancelled else _state(journal.state, total)
    error = "; ".join(dict.fromkeys(total.errors)) or ("" if is_cancelled else journal.complaint)
    total.add_requests(by_name(requests))
    report = replace(journal.report(state, error=error), requests=total.requests)
    pass_step(Step.BEFORE_RUN_FINISH)
    attempt.let_go()
    await items.close(claim, state, report.totals, report.finished_at, error=error)
    pass_step(Step.AFTER_RUN_FINISH)
    return report


async def _tidy_up(attempt: Attempt, total: Summary) -> None:
    """Do what only the whole run can decide about."""
    journal = attempt.journal
    await journal.notes.load()
    if attempt.shared.only is None and not total.incomplete:
        journal.notes.see(total.seen)
        journal.notes.forget_unseen(run=journal.run)
    await attempt.context().pruning.carry_out(Gone(total.published, total.removals))


def _state(state: RunState, total: Summary) -> RunState:
    """Return what the run amounts to, where an item that could not be carried out counts, too."""
    if not total.errors:
        return state
    return RunState.PARTIAL if total.counts["copied"] + total.counts["skipped"] else RunState.FAILED
