"""``replicate apply-plan``: what was reviewed, done as it was."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from replicator import bootstrap
from replicator.cli.groups import examples
from replicator.cli.options import Report
from replicator.cli.session import Session, session_of
from replicator.errors import ConfigError

if TYPE_CHECKING:
    from replicator.service.records.plan_file import PlannedRule
    from replicator.service.records.report import RunReport

EXAMPLES: Final = examples("replicate plan --out plan.json", "replicate apply-plan plan.json")
_TRIGGER: Final = "reviewed plan"


def apply_plan(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="From `replicate plan --out`.")],
    report: Report = None,
) -> None:
    """Do exactly what a plan says, removals that a run holds back included.

    Nothing is done when the rule or a destination is no longer as it was; then it says what
    changed. Exits like `replicate run`.
    """
    from replicator.cli.messages import say
    from replicator.cli.output import STDOUT, check_report, write_report
    from replicator.cli.reports import complain_of, run_text
    from replicator.cli.running import run_async
    from replicator.service.records.plan_file import plan_from_document
    from replicator.service.records.report import exit_code, to_json

    check_report(report)
    planned = plan_from_document(_read(file), where=str(file))
    work = _apply(session_of(context), planned)
    reports, announced = run_async(work, loop_factory=bootstrap.new_event_loop, copies=True)
    show = say if report == STDOUT else print
    for each in reports:
        if each.run:
            show(run_text(each))
        complain_of(each, announced)
    if report is not None:
        write_report(to_json(reports), report)
    raise typer.Exit(exit_code(reports))


def write_plan(reports: Sequence[RunReport], file: Path) -> None:
    """Write the plans that dry runs ended with. Raises ConfigError."""
    from datetime import UTC, datetime

    from replicator.cli.output import write_report
    from replicator.service.records.plan_file import plan_to_document

    write_report(plan_to_document(reports, now=datetime.now(UTC)), str(file))


async def _apply(
    session: Session, planned: Sequence[PlannedRule]
) -> tuple[Sequence[RunReport], Collection[tuple[str, str]]]:
    from replicator.cli.progress import FailedTags, shown_progress
    from replicator.events import to_all

    config, failed = session.config(), FailedTags()
    with shown_progress(verbosity=session.verbosity) as progress:
        listener = to_all(progress, failed)
        async with bootstrap.open_service(config, listener=listener) as service:
            await service.rulebook.bring_in()
            rules = {rule.name: rule for rule in await service.rulebook.all()}
            for plan in planned:
                await bootstrap.write_down(config, "apply-plan", "rule", plan.rule.name)
            reports = await service.runner.apply(planned, rules, trigger=_TRIGGER)
            return reports, failed.tags


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{file}: is no plan; take a file from `replicate plan --out` ({error})"
        ) from None
