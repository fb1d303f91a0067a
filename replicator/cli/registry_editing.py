"""``replicate registry add`` and ``delete``: registries that the database keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer

from replicator import bootstrap
from replicator.cli.groups import examples
from replicator.cli.login import registry_name
from replicator.cli.session import Session, session_of

ADD_EXAMPLES: Final = examples(
    "replicate registry add registry.example.com --kind harbor --credential harbor",
    "replicate registry add registry.example.com --set 'max_concurrency = 16' "
    "--set 'bandwidth = \"50MiB/s\"'",
)
DELETE_EXAMPLES: Final = examples("replicate registry delete registry.example.com")

_FROM_NEXT_START: Final = "services that are running go by that from their next start"

_Host = Annotated[str, typer.Argument(metavar="HOST", help="The registry, as references have it.")]


def add(
    context: typer.Context,
    host: _Host,
    kind: Annotated[str, typer.Option(metavar="KIND", help="What software it is.")] = "",
    endpoint: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where its API is, if that is elsewhere.")
    ] = "",
    credential: Annotated[
        str, typer.Option(metavar="NAME", help="Of `replicate credential set`.")
    ] = "",
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any other key that the configuration file has, as it is written there; may be "
            "given several times.",
        ),
    ] = None,
) -> None:
    """Keep in the database how a registry is reached, instead of what it has of it.

    When that is another way than before, the secret that is kept for it is cleared and has to be
    set again. Files and variables can be named in a configuration file alone. The runs of services
    that are running go by it from their next start.
    """
    from replicator.cli.running import run_async

    name, settings = registry_name(host), _read(setting or ())
    for key, value in (("kind", kind), ("endpoint", endpoint)):
        if value:
            settings[key] = value
    if credential:
        settings["credential"] = {"stored": credential}
    cleared = run_async(_put(session_of(context), name, settings))
    print(f"added {name}; {_FROM_NEXT_START}")
    _tell(name, cleared)


def delete(context: typer.Context, host: _Host) -> None:
    """Forget how a registry is reached; its defaults count then."""
    from replicator.cli.running import run_async

    name = registry_name(host)
    cleared = run_async(_delete(session_of(context), name))
    print(f"deleted {name}; {_FROM_NEXT_START}")
    _tell(name, cleared)


def _tell(name: str, cleared: Sequence[str]) -> None:
    from replicator.cli.messages import say

    for credential in cleared:
        say(
            f"{name} is reached in another way now, so the secret of {credential!r} was cleared; "
            f"set it again with `replicate credential set {credential} --host {name}`"
        )


def _read(settings: Sequence[str]) -> dict[str, Any]:
    from replicator.config.load import parse_toml_of

    read: dict[str, Any] = {}
    for text in settings:
        read |= parse_toml_of(text.encode("utf-8", "replace"), "--set")
    return read


async def _put(session: Session, name: str, settings: dict[str, Any]) -> Sequence[str]:
    async with bootstrap.open_registry_desk(session.config()) as desk:
        return await desk.put(name, settings)


async def _delete(session: Session, name: str) -> Sequence[str]:
    async with bootstrap.open_registry_desk(session.config()) as desk:
        return await desk.delete(name)
