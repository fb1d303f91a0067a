"""``replicate verify``: is what was published still there, and whole?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from replicator import bootstrap
from replicator.cli.completion import complete_rules
from replicator.cli.exit_codes import FAILED, PARTIAL, SUCCESS
from replicator.cli.groups import examples
from replicator.cli.messages import say
from replicator.cli.options import Json
from replicator.cli.session import Session, session_of

if TYPE_CHECKING:
    from replicator.planning.rule import Rule
    from replicator.service.looking.verifying import Finding
    from replicator.service.records.report import RunReport

EXAMPLES: Final = examples(
    "replicate verify", "replicate verify base-images --repair", "replicate verify --json"
)
_TRIGGER: Final = "verify --repair"


def verify(
    context: typer.Context,
    rules: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RULE]...",
            help="Names of rules; all that are enabled if none is given.",
            autocompletion=complete_rules,
        ),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Copy again what is gone, broken or was moved.")
    ] = False,
    json: Json = False,
) -> None:
    """Look at everything that was published, and say what is no longer so.

    Of each tag its manifests are read and each of its blobs is asked for; their bytes are not. A
    tag that somebody else moved is repaired only if its rule overwrites always. Exits with 0 when
    all is as it was published, or is again, 3 when some tags are not, and 1 when none is.
    """
    from replicator.cli.output import print_json
    from replicator.cli.reports import complain_of, run_text
    from replicator.cli.running import run_async

    work = _verify(session_of(context), rules or (), repair=repair)
    findings, reports = run_async(work, loop_factory=bootstrap.new_event_loop)
    if json:
        print_json(_document(findings, reports))
    else:
        print("\n".join(_lines(findings)))
        for report in reports:
            print(run_text(report))
    for report in reports:
        complain_of(report, ())
    raise typer.Exit(_exit_code(findings, reports, repaired=repair))


async def _verify(
    session: Session, names: Sequence[str], *, repair: bool
) -> tuple[Sequence[Finding], Sequence[RunReport]]:
    from replicator.cli.progress import shown_progress

    with shown_progress(verbosity=session.verbosity) as progress:
        async with bootstrap.open_service(session.config(), listener=progress) as service:
            await service.rulebook.bring_in()
            rules = await service.rulebook.named(names)
            await service.runner.require_logins(rules)
            verifier = bootstrap.verifier(service)
            findings = [each for rule in rules async for each in verifier.verify(rule.name)]
            wrong = [each for each in findings if each.drift is not None]
            if not repair or not wrong:
                return findings, ()
            _tell_left(rules, wrong)
            return findings, await service.runner.repair(rules, wrong, trigger=_TRIGGER)


def _tell_left(rules: Sequence[Rule], wrong: Sequence[Finding]) -> None:
    """Say of each tag that is not repaired why that is."""
    from replicator.service.looking.verifying import why_left

    by_name = {rule.name: rule for rule in rules}
    for each in wrong:
        if why := why_left(by_name[each.row.rule], each):
            say(f"{each.name}: {why}")


def _lines(findings: Sequence[Finding]) -> list[str]:
    wrong = [each for each in findings if each.drift is not None]
    counts = Counter(each.drift for each in wrong)
    told = [f"{each.drift}\t{each.name}\t{each.reason}" for each in wrong]
    if not findings:
        return ["nothing was published yet"]
    numbers = ", ".join(f"{number} {drift}" for drift, number in sorted(counts.items()))
    right = len(findings) - len(wrong)
    more = f"; {numbers}" if wrong else ""
    return [*told, f"{right} of {len(findings)} tags are as published{more}"]


def _document(findings: Sequence[Finding], reports: Sequence[RunReport]) -> dict[str, Any]:
    from replicator.service.records.report import to_json

    return {
        "tags": len(findings),
        "findings": [
            {
                "destination": str(each.row.destination),
                "tag": str(each.row.tag),
                "rule": each.row.rule,
                "drift": each.drift.value,
                "reason": each.reason,
                "digest": str(each.row.digest),
            }
            for each in findings
            if each.drift is not None
        ],
        "repairs": to_json(reports)["runs"],
    }


def _exit_code(findings: Sequence[Finding], reports: Sequence[RunReport], *, repaired: bool) -> int:
    wrong = sum(each.drift is not None for each in findings)
    if repaired:
        wrong -= sum(report.counts["copied"] for report in reports)
    if wrong <= 0:
        return SUCCESS
    return FAILED if wrong == len(findings) else PARTIAL
