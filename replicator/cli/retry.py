"""``replicate runs retry``: the rule of a run, done again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from replicator import bootstrap
from replicator.cli.groups import examples
from replicator.cli.options import Detach, Report, Run
from replicator.cli.session import Session, session_of

if TYPE_CHECKING:
    from replicator.service.records.report import RunReport

RETRY_EXAMPLES: Final = examples(
    "replicate runs retry 20260314-03",
    "replicate runs retry 20260314-03 --failed",
    "replicate runs retry 20260314-03 --failed --detach",
)


def retry_run(
    context: typer.Context,
    run: Run,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only the tags that failed in that run.")
    ] = False,
    report: Report = None,
    detach: Detach = False,
) -> None:
    """Carry out the rule of a run again, as the rule is now, and wait for the end.

    What is in step by now costs hardly anything. Exits like `replicate run`.
    """
    from replicator.cli.output import check_report
    from replicator.cli.run import show_runs
    from replicator.cli.running import run_async

    session = session_of(context)
    if detach:
        if report is not None:
            raise typer.BadParameter("--detach does not go with --report")
        print(run_async(_leave_to_service(session, run, failed=failed)))
        return
    check_report(report)
    work = _carry_out(session, run, failed=failed)
    reports, announced = run_async(work, loop_factory=bootstrap.new_event_loop, copies=True)
    raise typer.Exit(show_runs(reports, announced, report))


async def _leave_to_service(session: Session, run: str, *, failed: bool) -> str:
    async with bootstrap.open_desk(session.config()) as desk:
        record = await desk.ask_again(run, trigger=_trigger(run), failed=failed)
        return f"{record.rule.name}: {record.id}"


async def _carry_out(
    session: Session, run: str, *, failed: bool
) -> tuple[Sequence[RunReport], Collection[tuple[str, str]]]:
    from replicator.cli.progress import FailedTags, shown_progress
    from replicator.events import to_all
    from replicator.service.desks.desk import again
    from replicator.service.looking.only import Only

    config, failures = session.config(), FailedTags()
    with shown_progress(verbosity=session.verbosity) as progress:
        async with bootstrap.open_service(config, listener=to_all(progress, failures)) as service:
            before, rule, sources = await again(run, service.runs, service.rulebook, failed=failed)
            await bootstrap.write_down(config, "retry", "run", before.id)
            reports = await service.runner.run_all(
                [rule],
                trigger=_trigger(run),
                only=None if sources is None else Only.of(sources),
                retry=True,
            )
            return reports, failures.tags


def _trigger(run: str) -> str:
    return f"retry of {run}"
