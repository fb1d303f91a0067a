"""``replicate demo``: the whole story on one machine, without a network."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from replicator import bootstrap
from replicator.cli.groups import examples
from replicator.cli.session import Session, session_of

if TYPE_CHECKING:
    from replicator.cli.narrator import Narrator
    from replicator.config import Config
    from replicator.demo.stage import Stage
    from replicator.service.records.report import RunReport

EXAMPLES: Final = examples("replicate demo", "replicate demo --dir try")
_DATABASE: Final = "replicator.db"
_TRIGGER: Final = "demo"
# As much of the history as a terminal of usual width has room for.
_HISTORY: Final = ("RUN", "RULE", "STATE", "TOOK", "COPIED", "IN STEP", "MOVED")


def demo(
    context: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--dir", metavar="FOLDER", help="Keep the database here. Left out: it goes afterwards."
        ),
    ] = None,
) -> None:
    """Watch images move between two registries on this machine.

    Both are part of this program and run only as long as the demo; nothing else is touched.
    """
    import tempfile

    from replicator.cli.narrator import Narrator
    from replicator.cli.running import run_async
    from replicator.demo.stage import staged

    with ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        place.mkdir(parents=True, exist_ok=True)
        stage = stack.enter_context(staged())
        tell = Narrator()
        work = _play(session_of(context), stage, place / _DATABASE, tell)
        run_async(work, loop_factory=bootstrap.new_event_loop)
        _advise(tell, kept=place / _DATABASE if folder else None)


async def _play(session: Session, stage: Stage, database: Path, tell: Narrator) -> None:
    """Fill, run, run again, move a tag, run again, and show the history."""
    config = _config(database, stage)
    _introduce(stage, config, tell)

    tell.chapter("First run", "Everything is new at the destination.")
    await _run(session, config, stage, tell)

    tell.chapter(
        "Second run",
        "Nothing has changed, and one request a tag finds that out. The destination is hardly "
        "asked: the ledger remembers what was published.",
    )
    await _run(session, config, stage, tell)

    moved = stage.move_tag()
    tell.chapter(
        "A tag moves",
        f"Somebody pushes a new build as {moved}. Only that tag is copied, and of its layers only "
        "the new ones.",
    )
    await _run(session, config, stage, tell)

    tell.chapter("History", "Every run leaves a row that explains it.")
    await _show_history(config, tell)


def _config(database: Path, stage: Stage) -> Config:
    from replicator.config import Config, RegistryEntry, ServiceSettings
    from replicator.registry.settings import RegistrySettings

    hosts = (stage.source.host, stage.destination.host)
    return Config(
        service=ServiceSettings(database=f"sqlite:///{database.absolute()}", docker_config=False),
        registries={host: RegistryEntry(RegistrySettings(host, plain_http=True)) for host in hosts},
        rules=stage.rules,
    )


def _introduce(stage: Stage, config: Config, tell: Narrator) -> None:
    from replicator.cli.rule_text import RULE_HEADER, rule_row

    content = stage.content
    tell.chapter(
        "Two registries on this machine",
        f"The source, {stage.source.host}, has {content.tags} tags in {content.repositories} "
        "repositories: images for three platforms that share layers, with a signature, an SBOM "
        f"and a cosign tag, and a Helm chart. The destination, {stage.destination.host}, is empty.",
    )
    tell.chapter(
        "Two rules", f"They say what should be where, and are kept in {config.service.database}."
    )
    tell.table(RULE_HEADER[:3], [rule_row(rule)[:3] for rule in config.rules])


async def _run(session: Session, config: Config, stage: Stage, tell: Narrator) -> None:
    """Carry out the rules as ``replicate run`` does, and count what the registries were asked."""
    from replicator.cli.progress import shown_progress
    from replicator.cli.reports import REPORT_HEADER, report_row

    for registry in (stage.source, stage.destination):
        registry.requests.clear()
    with shown_progress(verbosity=session.verbosity) as progress:
        async with bootstrap.open_service(config, listener=progress) as service:
            await service.rulebook.bring_in()
            rules = await service.rulebook.named(())
            reports = await service.runner.run_all(rules, trigger=_TRIGGER)
    tell.table(REPORT_HEADER, map(report_row, reports))
    _show_requests(stage, tell)
    _require_success(reports)


def _show_requests(stage: Stage, tell: Narrator) -> None:
    """Show what the registries themselves have counted."""
    from replicator.demo.stage import KINDS

    tell.table(
        ("REQUESTS TO", "ALL", *KINDS),
        [
            (
                name,
                len(registry.requests),
                *(registry.requests.count(*kind) for kind in KINDS.values()),
            )
            for name, registry in (
                ("the source", stage.source),
                ("the destination", stage.destination),
            )
        ],
    )


def _require_success(reports: Sequence[RunReport]) -> None:
    from replicator.service.records.report import exit_code

    if code := exit_code(reports):
        raise typer.Exit(code)


async def _show_history(config: Config, tell: Narrator) -> None:
    from replicator.cli.history import RUN_HEADER, run_row

    async with bootstrap.open_runs(config) as runs:
        rows = [dict(zip(RUN_HEADER, run_row(run), strict=True)) for run in await runs.recent()]
    tell.table(_HISTORY, [[row[column] for column in _HISTORY] for row in rows])


def _advise(tell: Narrator, *, kept: Path | None) -> None:
    """End with what to type next."""
    tell.chapter("Your turn", "One image, to a registry of yours; twice, to see the difference:")
    tell.command("replicate login registry.example.com")
    tell.command("replicate copy alpine:3.20 registry.example.com/mirror/alpine:3.20")
    tell.line("And with a rule, in a file config.toml:")
    for line in _CONFIG_EXAMPLE:
        tell.command(line)
    tell.line("Then:")
    tell.command("replicate plan")
    tell.command("replicate run")
    tell.command("replicate runs list")
    if kept is not None:
        tell.line("What this demo remembers is still there:")
        tell.command(f"replicate --database sqlite:///{kept} runs list")


_CONFIG_EXAMPLE: Final = (
    "[[rules]]",
    'name = "alpine"',
    'source = "docker.io/library/alpine"',
    'destinations = ["registry.example.com/mirror/{repository}"]',
    'tags = { include = ["3.20", "3.21"] }',
)
