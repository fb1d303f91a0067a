"""``replicate copy``: one image, now, without a rule and without a database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from replicator import bootstrap
from replicator.cli.groups import examples
from replicator.cli.messages import complain, say
from replicator.cli.options import Report
from replicator.cli.session import Session, session_of

if TYPE_CHECKING:
    from replicator.oci.platform import Platform
    from replicator.oci.reference import Reference
    from replicator.service.running.one_off import CopyReport
    from replicator.transfer.order import Result

EXAMPLES: Final = examples(
    "replicate copy alpine:3.20 registry.example.com/alpine:3.20",
    "replicate copy quay.io/team/app:1.2 a.example.com/team/app b.example.com/team/app",
    "replicate copy debian:12 oci:debian --platform linux/amd64 --platform linux/arm64",
)


def copy(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="What to read: [HOST/]PATH[:TAG][@DIGEST].")
    ],
    destinations: Annotated[
        list[str],
        typer.Argument(
            metavar="DESTINATION...",
            help="Where it goes: [HOST/]PATH[:TAG] or oci:FOLDER[:TAG]; the source's tag if "
            "none is given.",
        ),
    ],
    platform: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OS/ARCH",
            help="Only this platform; may be repeated. What signs or describes the whole index "
            "is left behind, and counted. Left out: the whole index, digest unchanged.",
        ),
    ] = None,
    referrers: Annotated[
        bool, typer.Option(help="Also what refers to the image: signatures, SBOMs, attestations.")
    ] = True,
    report: Report = None,
) -> None:
    """Copy one image, with all that belongs to it, to one or more destinations.

    What a destination has already is not sent again, and a tag is written last: it never names
    half an image.
    """
    from replicator.cli.output import STDOUT, check_report, write_report
    from replicator.cli.running import run_async
    from replicator.oci.platform import Platform
    from replicator.oci.reference import Reference
    from replicator.service.records.report import exit_code, to_json

    check_report(report)
    work = _copy(
        session_of(context),
        Reference.parse(source),
        [Reference.parse(each) for each in destinations],
        platforms=[Platform.parse(each) for each in platform or ()],
        referrers=referrers,
    )
    copied = run_async(work, loop_factory=bootstrap.new_event_loop, copies=True)
    _show(copied, quiet=report == STDOUT)
    if report is not None:
        write_report(to_json([copied.run]), report)
    raise typer.Exit(exit_code([copied.run]))


async def _copy(
    session: Session,
    source: Reference,
    destinations: Sequence[Reference],
    *,
    platforms: Sequence[Platform],
    referrers: bool,
) -> CopyReport:
    from replicator.cli.progress import shown_progress

    config = session.config()
    with shown_progress(verbosity=session.verbosity, tags=False) as listener:
        async with bootstrap.open_one_off(config, listener=listener) as one_off:
            return await one_off.copy(
                source, destinations, platforms=platforms, referrers=referrers
            )


def _show(copied: CopyReport, *, quiet: bool) -> None:
    """Print what was done; what was not is a complaint."""
    for result in copied.results:
        if result.error is not None:
            complain(f"{copied.source} → {result.destination}:{result.tag}: {result.error}")
        elif not quiet:
            print(_describe(copied.source, result))
    if copied.left_behind:
        say(copied.left_behind)


def _describe(source: str, result: Result) -> str:
    from replicator.cli.text import plural, size_text

    tally = result.tally
    moved = "0 blobs sent"
    if tally.blobs_moved:
        moved = f"{plural(tally.blobs_moved, 'blob')} moved, {size_text(tally.bytes_moved)}"
    done = "copied" if result.written else "in step"
    if result.added:
        done += f", {plural(result.added, 'referrer')} added"
    return (
        f"{done} {source} → "
        f"{result.destination}:{result.tag}  {result.digest}  "
        f"({moved}; {tally.blobs_mounted} mounted; {tally.blobs_skipped} skipped)"
    )
