"""``replicate runs``: what was done, when, and what became of each tag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from replicator import bootstrap
from replicator.cli.completion import complete_rules
from replicator.cli.groups import examples, group
from replicator.cli.options import Json, Run
from replicator.cli.retry import RETRY_EXAMPLES, retry_run
from replicator.cli.session import Session, session_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replicator.store.records import ActionRecord, RunRecord

app = group("Show what was done, end it, or do it again.")
app.command(name="retry", epilog=RETRY_EXAMPLES)(retry_run)


@app.command(
    name="list",
    epilog=examples("replicate runs list", "replicate runs list --rule base-images --json"),
)
def list_runs(
    context: typer.Context,
    rule: Annotated[
        str | None,
        typer.Option(metavar="RULE", help="Only runs of this rule.", autocompletion=complete_rules),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="NUMBER", help="How many, at most.")] = 20,
    json: Json = False,
) -> None:
    """List the latest runs, newest first.

    TOOK is the time from the beginning of a run to its end. If workers share it, some of that may
    be waiting: for one that has time, or until a registry allows more.
    """
    from replicator.cli.history import RUN_HEADER, run_json, run_row
    from replicator.cli.output import print_json, print_table
    from replicator.cli.running import run_async

    runs = run_async(_recent(session_of(context), rule, limit))
    if json:
        print_json({"runs": list(map(run_json, runs))})
    else:
        print_table(RUN_HEADER, map(run_row, runs))


@app.command(
    name="show",
    epilog=examples(
        "replicate runs show 20260314-031500-k3f9x2ab",
        "replicate runs show 20260314-03 --json",
    ),
)
def show_run(
    context: typer.Context,
    run: Run,
    json: Json = False,
) -> None:
    """Show one run, and each tag that it decided about.

    Tags that were as they should be are only counted.
    """
    from replicator.cli.history import ACTION_HEADER, action_json, action_row, run_fields, run_json
    from replicator.cli.output import print_fields, print_json, print_table
    from replicator.cli.running import run_async

    record, actions = run_async(_one(session_of(context), run))
    if json:
        tags: list[Any] = list(map(action_json, actions))
        print_json({**run_json(record), "tags": tags})
        return
    print_fields(run_fields(record))
    if actions:
        print()
        print_table(ACTION_HEADER, map(action_row, actions))


@app.command(name="cancel", epilog=examples("replicate runs cancel 20260314-03"))
def cancel_run(context: typer.Context, run: Run) -> None:
    """End a run, also one of another process: it stops within seconds, in the middle of a blob.

    What was copied stays. A run that waits for a service is over at once.
    """
    from replicator.cli.running import run_async
    from replicator.store.records import RunState

    record = run_async(_cancel(session_of(context), run))
    is_over = record.state is RunState.CANCELLED
    print(f"{record.id} is {'cancelled' if is_over else 'being cancelled'}")


async def _cancel(session: Session, run: str) -> RunRecord:
    async with bootstrap.open_queue(session.config()) as queue:
        return await queue.cancel(run, queue.clock())


async def _recent(session: Session, rule: str | None, limit: int) -> Sequence[RunRecord]:
    async with bootstrap.open_runs(session.config()) as runs:
        return await runs.recent(rule=rule, limit=limit)


async def _one(session: Session, run: str) -> tuple[RunRecord, Sequence[ActionRecord]]:
    async with bootstrap.open_runs(session.config()) as runs:
        return await runs.show(run)
