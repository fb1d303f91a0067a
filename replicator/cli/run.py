"""``replicate run`` and ``replicate plan``: what the rules say, done or shown."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from replicator import bootstrap
from replicator.cli.completion import complete_rules
from replicator.cli.exit_codes import FAILED
from replicator.cli.groups import examples
from replicator.cli.options import Detach, Json, Report
from replicator.cli.session import Session, session_of

if TYPE_CHECKING:
    from replicator.service.records.report import RunReport
    from replicator.store.records import RunRecord

RUN_EXAMPLES: Final = examples(
    "replicate run",
    "replicate run base-images --dry-run",
    "replicate --config rules.toml run --report - | jq .runs[].counts",
)
PLAN_EXAMPLES: Final = examples(
    "replicate plan", "replicate plan base-images --json", "replicate plan --out plan.json"
)
_TRIGGER: Final = "command line"

_Rules = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RULE]...",
        help="Names of rules; all that are enabled if none is given.",
        autocompletion=complete_rules,
    ),
]


def run(
    context: typer.Context,
    rules: _Rules = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and write nothing.")
    ] = False,
    retry: Annotated[
        bool,
        typer.Option("--retry", help="Try tags now that wait after a failure; so do named rules."),
    ] = False,
    report: Report = None,
    detach: Detach = False,
) -> None:
    """Carry out rules now, and wait for the end.

    Rules of the configuration file are brought into the database first; a database in a file is
    made on the spot. Exits with 0 when all is in step, 1 when a rule failed, 3 when some tags
    did, and 4 when a rule selected nothing.
    """
    if detach:
        _leave_to_service(session_of(context), rules or (), has_more=dry_run or report is not None)
        return
    from replicator.cli.output import check_report

    check_report(report)
    reports, announced = _carry_out(
        session_of(context), rules or (), dry_run=dry_run, retry=retry or bool(rules)
    )
    raise typer.Exit(show_runs(reports, announced, report, dry_run=dry_run))


def show_runs(
    reports: Sequence[RunReport],
    announced: Collection[tuple[str, str]],
    report: str | None,
    *,
    dry_run: bool = False,
) -> int:
    """Say how runs ended, write a *report* of them if it is wanted, and return the exit code.

    Of failed tags that were *announced* nothing more is said.
    """
    from replicator.cli.messages import say
    from replicator.cli.output import STDOUT, write_report
    from replicator.cli.reports import complain_of
    from replicator.service.records.report import exit_code, to_json

    show = say if report == STDOUT else print
    for each in reports:
        for line in _lines(each, dry_run=dry_run):
            show(line)
        complain_of(each, announced)
    if report is not None:
        write_report(to_json(reports), report)
    return exit_code(reports)


def _lines(report: RunReport, *, dry_run: bool) -> Iterable[str]:
    """Return what is said of a run; of one that could not begin the complaint is all."""
    from replicator.cli.reports import plan_text, run_text

    if dry_run:
        return plan_text(report)
    return [run_text(report)] if report.run else []


def plan(
    context: typer.Context,
    rules: _Rules = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the plan there, for `replicate apply-plan`."),
    ] = None,
    json: Json = False,
) -> None:
    """Show what a run would do with each tag, and why.

    Both sides are only asked, and nothing is written to a registry. Sizes are those of whole
    images, whatever the destination has of them already; of images on Docker Hub there are none,
    as reading a manifest there counts as a pull.
    """
    from replicator.cli.apply_plan import write_plan
    from replicator.cli.output import check_report, print_json
    from replicator.cli.reports import complain_of, plan_json, plan_text
    from replicator.service.records.report import exit_code

    if out is not None:
        check_report(str(out))
    reports, announced = _carry_out(session_of(context), rules or (), dry_run=True, sizes=True)
    if out is not None:
        write_plan(reports, out)
    if json:
        print_json({"plans": list(map(plan_json, reports))})
    for each in reports:
        if not json:
            print("\n".join(plan_text(each)))
        complain_of(each, announced)
    raise typer.Exit(exit_code(reports))


def _leave_to_service(session: Session, names: Sequence[str], *, has_more: bool) -> None:
    """Ask the service for runs, and print their ids."""
    from replicator.cli.messages import complain
    from replicator.cli.running import run_async

    if has_more:
        raise typer.BadParameter("--detach goes with neither --dry-run nor --report")
    asked, refused = run_async(_ask(session, names))
    for run in asked:
        print(f"{run.rule.name}: {run.id}")
    for reason in refused:
        complain(reason)
    if refused:
        raise typer.Exit(FAILED)


async def _ask(session: Session, names: Sequence[str]) -> tuple[Sequence[RunRecord], Sequence[str]]:
    async with bootstrap.open_desk(session.config()) as desk:
        return await desk.ask(names, trigger=_TRIGGER)


def _carry_out(
    session: Session,
    names: Sequence[str],
    *,
    dry_run: bool,
    retry: bool = False,
    sizes: bool = False,
) -> tuple[Sequence[RunReport], Collection[tuple[str, str]]]:
    """Return the reports, and which failed tags were announced while that went on."""
    from replicator.cli.messages import say
    from replicator.cli.running import run_async

    work = _run(session, names, dry_run=dry_run, retry=retry, sizes=sizes)
    reports, failed = run_async(work, loop_factory=bootstrap.new_event_loop, copies=not dry_run)
    if not reports:
        say("no rule is enabled; one that is named is carried out all the same")
    return reports, failed


async def _run(
    session: Session,
    names: Sequence[str],
    *,
    dry_run: bool,
    retry: bool = False,
    sizes: bool = False,
) -> tuple[Sequence[RunReport], Collection[tuple[str, str]]]:
    from replicator.cli.progress import FailedTags, shown_progress
    from replicator.events import to_all

    config, failed = session.config(), FailedTags()
    with shown_progress(verbosity=session.verbosity) as progress:
        listener = to_all(progress, failed)
        async with bootstrap.open_service(config, listener=listener) as service:
            if not dry_run:
                await service.rulebook.bring_in()
            rules = await service.rulebook.named(names)
            reports: Sequence[RunReport] = await service.runner.run_all(
                rules, trigger=_TRIGGER, dry_run=dry_run, retry=retry
            )
            if sizes:
                reports = [await service.runner.with_sizes(report) for report in reports]
            return reports, failed.tags
