"""``replicate status``: how each rule is doing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import starmap
from typing import TYPE_CHECKING, Any, Final

import typer

from replicator import bootstrap
from replicator.cli.groups import examples
from replicator.cli.messages import say
from replicator.cli.options import Json
from replicator.cli.session import Session, session_of

if TYPE_CHECKING:
    from datetime import timedelta

    from replicator.planning.backoff import Failing
    from replicator.planning.error_budget import ErrorBudget
    from replicator.service.rules.status import RuleStatus
    from replicator.store.records import ActionRecord

EXAMPLES: Final = examples("replicate status", "replicate status --json | jq .rules[].lag_seconds")
_TURNED_DOWN: Final = ("conflict", "blocked")
# Of each rule; the JSON has more of them, and the run itself all.
_SHOWN: Final = 5
_HEADER: Final = ("RULE", "LAST RUN", "STATE", "LAST SUCCESS", "LAG", "NEXT DUE", "FAILING")


def status(context: typer.Context, json: Json = False) -> None:
    """Show of each rule when it last succeeded, when it is due, and which tags fail.

    The lag is how old the last state of the source is that the destination is sure to have.
    """
    from replicator.cli.output import print_json, print_table
    from replicator.cli.running import run_async

    found = run_async(_status(session_of(context)))
    if json:
        print_json({"rules": list(map(_json, found))})
        return
    if not found:
        say("there are no rules yet; `replicate rule add --help` says how to make one")
    print_table(_HEADER, map(_row, found))
    for say_of in (_under_way, _put_off, _overdrawn, _turned_down):
        for line in filter(None, map(say_of, found)):
            print(line)
    left_alone = [(rule, each) for rule in found for each in rule.left_alone[:_SHOWN]]
    if left_alone:
        print()
        print_table(("RULE", "LEFT ALONE", "WHY"), starmap(_left_alone_row, left_alone))
    failing = [each for rule in found for each in rule.failing]
    if failing:
        print()
        print_table(("RULE", "FAILING TAG", "SINCE", "WHY"), map(_failing_row, failing))


def _under_way(status: RuleStatus) -> str:
    """Say how far the unfinished run of a rule is; empty if it has none."""
    from replicator.cli.text import moved_text

    run = status.under_way
    if run is None:
        return ""
    return f"{status.rule.name}: {run.state.value}, {moved_text(run.totals)} so far; run {run.id}"


def _put_off(status: RuleStatus) -> str:
    """Say when a run goes on that a registry's limit holds up; empty if none does."""
    from replicator.cli.text import time_text

    if status.deferred_until is None:
        return ""
    return f"{status.rule.name}: deferred until {time_text(status.deferred_until)} UTC"


def _overdrawn(status: RuleStatus) -> str:
    """Say when a rule was behind its objective for longer than it may be; empty if it was not."""
    from replicator.cli.text import seconds_text
    from replicator.planning.error_budget import ALLOWED

    if status.budget is None or status.budget.left:
        return ""
    behind, allowed = (
        seconds_text(each.total_seconds()) for each in (status.budget.behind, ALLOWED)
    )
    return f"{status.rule.name}: behind its objective for {behind} in 30 days, of {allowed} allowed"


def _turned_down(status: RuleStatus) -> str:
    """Say what the last run left alone for a person; empty if there is nothing."""
    if status.last is None:
        return ""
    counts = status.last.totals.counts
    parts = [f"{counts[name]:,} {name}" for name in _TURNED_DOWN if counts.get(name)]
    if not parts:
        return ""
    where = f"`replicate runs show {status.last.id}`"
    return f"{status.rule.name}: {', '.join(parts)} in its last run; {where} names them"


async def _status(session: Session) -> Sequence[RuleStatus]:
    async with bootstrap.open_status(session.config()) as status_now:
        return await status_now()


def _row(status: RuleStatus) -> tuple[object, ...]:
    from replicator.cli.text import time_text

    return (
        status.rule.name,
        time_text(status.last.started_at if status.last else None),
        status.last.state.value if status.last else "-",
        time_text(status.last_success.started_at if status.last_success else None),
        _lag_text(status.lag),
        time_text(status.next_due),
        len(status.failing),
    )


def _lag_text(lag: timedelta | None) -> str:
    from replicator.cli.text import seconds_text

    if lag is None:
        return "-"
    return f"{lag.days} d {lag.seconds // 3600} h" if lag.days else seconds_text(lag.seconds)


def _left_alone_row(status: RuleStatus, left: ActionRecord) -> tuple[object, ...]:
    return (
        status.rule.name,
        f"{left.source} → {left.destination}:{left.tag}",
        f"{left.decision}: {left.reason}",
    )


def _failing_row(failing: Failing) -> tuple[object, ...]:
    from replicator.cli.text import time_text

    place = f"{failing.source} → {failing.destination}:{failing.tag}"
    return failing.rule, place, time_text(failing.since), failing.reason


def _budget_json(budget: ErrorBudget | None) -> dict[str, Any] | None:
    from replicator.cli.output import time_json
    from replicator.planning.error_budget import ALLOWED

    if budget is None:
        return None
    return {
        "behind_seconds": round(budget.behind.total_seconds(), 3),
        "allowed_seconds": ALLOWED.total_seconds(),
        "since": time_json(budget.since),
    }


def _json(status: RuleStatus) -> dict[str, Any]:
    from replicator.cli.history import progress_json
    from replicator.cli.output import time_json

    last, good, running = status.last, status.last_success, status.under_way
    return {
        "rule": status.rule.name,
        "enabled": status.rule.enabled,
        "last_run": last and last.id,
        "state": last and last.state.value,
        **{name: last.totals.counts.get(name, 0) if last else 0 for name in _TURNED_DOWN},
        "under_way": None if running is None else progress_json(running),
        "last_run_at": last and time_json(last.started_at),
        "last_success": good and good.id,
        "last_success_at": good and time_json(good.started_at),
        "lag_seconds": None if status.lag is None else round(status.lag.total_seconds(), 3),
        "next_due": time_json(status.next_due),
        "error_budget": _budget_json(status.budget),
        "deferred_until": time_json(status.deferred_until),
        "left_alone": [
            {
                "source": each.source,
                "destination": str(each.destination),
                "tag": str(each.tag),
                "decision": each.decision.value,
                "reason": each.reason,
            }
            for each in status.left_alone
        ],
        "failing": [
            {
                "source": each.source,
                "destination": str(each.destination),
                "tag": str(each.tag),
                "failures": each.failures,
                "class": each.kind,
                "side": each.side,
                "message": each.message,
                "since": time_json(each.since),
                "next_try_at": time_json(each.next_try_at),
            }
            for each in status.failing
        ],
    }
