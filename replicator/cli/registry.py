"""``replicate registry``: the registries that are known, and whether they answer."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from replicator import bootstrap
from replicator.cli import registry_editing
from replicator.cli.exit_codes import FAILED, SUCCESS
from replicator.cli.groups import examples, group
from replicator.cli.login import registry_name
from replicator.cli.options import Host, Json
from replicator.cli.session import Session, session_of
from replicator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replicator.config import RegistryEntry
    from replicator.registry.probe import Finding

app = group("Show the registries that are known, add others, and try them.")
app.command(epilog=registry_editing.ADD_EXAMPLES)(registry_editing.add)
app.command(epilog=registry_editing.DELETE_EXAMPLES)(registry_editing.delete)


@app.command(
    name="list", epilog=examples("replicate registry list", "replicate registry list --json")
)
def list_registries(context: typer.Context, json: Json = False) -> None:
    """List the registries of the configuration and of the database, and how each is reached."""
    from replicator.cli.messages import say
    from replicator.cli.output import print_json, print_table
    from replicator.cli.running import run_async

    config = run_async(bootstrap.with_kept_registries(session_of(context).config()))
    entries = config.registries.values()
    if json:
        print_json({"registries": list(map(_entry_json, entries))})
    elif not entries:
        say("no registry is configured; `replicate registry add --help` says how to add one")
    else:
        print_table(
            ("REGISTRY", "KIND", "ENDPOINT", "LOGIN"),
            (tuple(_entry_json(entry).values()) for entry in entries),
        )


@app.command(
    epilog=examples(
        "replicate registry check registry.example.com",
        "replicate registry check quay.io --repository team/app --write",
    ),
)
def check(
    context: typer.Context,
    host: Host,
    repository: Annotated[
        str | None, typer.Option(metavar="PATH", help="Try this repository as well.")
    ] = None,
    write: Annotated[
        bool,
        typer.Option("--write", help="Send a blob of a few bytes to it; nothing refers to it."),
    ] = False,
    json: Json = False,
) -> None:
    """Find out whether a registry answers, takes our login, and how it behaves.

    Where there is a database, the next runs begin with what was found. Exits with 1 when
    something is not as it has to be.
    """
    from replicator.cli.messages import complain
    from replicator.cli.output import print_fields, print_json
    from replicator.cli.running import run_async

    if write and repository is None:
        raise ConfigError("--write needs a repository to write to; add --repository PATH")
    name = registry_name(host)
    work = _probe(session_of(context), name, repository, writes=write)
    findings, is_kept = run_async(work, loop_factory=bootstrap.new_event_loop)
    good = all(finding.good is not False for finding in findings)
    if json:
        found = list(map(dataclasses.asdict, findings))
        print_json({"registry": name, "good": good, "kept": is_kept, "findings": found})
    else:
        print_fields((each.subject, each.text) for each in findings if each.good is not False)
    for finding in findings:
        if finding.good is False:
            complain(finding.text)
    raise typer.Exit(SUCCESS if good else FAILED)


async def _probe(
    session: Session, name: str, repository: str | None, *, writes: bool
) -> tuple[Sequence[Finding], bool]:
    """Return what was found, and whether it was kept."""
    from replicator.registry.probe import facts_of, probe

    config = await bootstrap.with_kept_registries(session.config())
    async with bootstrap.open_one_registry(config, name) as registry:
        findings = [finding async for finding in probe(registry, repository, writes=writes)]
    if findings[0].good is not True:  # nobody answered
        return findings, False
    return findings, await bootstrap.keep_facts(config, name, facts_of(findings))


@app.command(
    epilog=examples(
        "replicate registry show registry.example.com", "replicate registry show quay.io --json"
    ),
)
def show(
    context: typer.Context,
    host: Host,
    json: Json = False,
) -> None:
    """Show how a registry is reached, and what the last check of it has shown."""
    from replicator.cli.output import print_fields, print_json
    from replicator.cli.running import run_async
    from replicator.config import RegistryEntry
    from replicator.registry.settings import RegistrySettings

    name = registry_name(host)
    config = run_async(bootstrap.with_kept_registries(session_of(context).config()))
    kept = run_async(bootstrap.kept_facts(config, name))
    entry = _entry_json(config.registries.get(name) or RegistryEntry(RegistrySettings(name)))
    if json:
        checked = None
        if kept is not None:
            checked = {"at": kept.at.isoformat(), "facts": kept.facts.to_json()}
        print_json({**entry, "checked": checked})
        return
    fields = {subject: str(value) for subject, value in entry.items()}
    if kept is not None:
        fields |= {"checked": f"{kept.at:%Y-%m-%d %H:%M} UTC", **_facts_text(kept.facts.to_json())}
    print_fields(fields.items())


def _facts_text(facts: dict[str, Any]) -> dict[str, str]:
    words = {True: "yes", False: "no", "": "none"}
    return {
        name.replace("_", " "): words.get(value, str(value))
        for name, value in facts.items()
        if name != "kind"
    }


def _entry_json(entry: RegistryEntry) -> dict[str, str]:
    from replicator.registry.plain_http import shown_endpoint
    from replicator.registry.profile import profile_for

    settings = entry.settings
    return {
        "registry": settings.name,
        "kind": profile_for(settings.name, settings.kind).kind,
        "endpoint": shown_endpoint(settings),
        "login": entry.login,
    }
