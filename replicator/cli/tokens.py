"""``replicate token``: who may ask the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from replicator import bootstrap
from replicator.cli.groups import examples, group
from replicator.cli.options import Json
from replicator.cli.session import Session, session_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replicator.store.tokens import TokenRecord

app = group("Make tokens for the API, show and revoke them.")

_Name = Annotated[str, typer.Argument(metavar="NAME", help="What the token is called.")]


@app.command(
    epilog=examples(
        "replicate token create admin --role admin",
        "replicate token create ci --role operator --rule 'team-*' --expires 30d",
    )
)
def create(
    context: typer.Context,
    name: _Name,
    role: Annotated[
        str, typer.Option(metavar="ROLE", help="viewer, operator or admin.")
    ] = "viewer",
    rule: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Only rules of these names; may be given several times. Else all, and also what "
            "belongs to no rule: registries, credentials, tokens and the audit.",
        ),
    ] = None,
    expires: Annotated[str, typer.Option(metavar="DURATION", help="How long it counts.")] = "90d",
) -> None:
    """Make a token, and print it for the only time.

    From the first token on everybody needs one, on this machine as well.
    """
    from replicator.cli.messages import say
    from replicator.cli.running import run_async

    token, record = run_async(_create(session_of(context), name, role, rule, expires))
    print(token)
    say(f"{record.name}: {record.role}, until {record.expires_at:%Y-%m-%d %H:%M} UTC; keep it safe")
    say("A service that runs without this secret key knows no token: restart it with the key.")


@app.command(name="list", epilog=examples("replicate token list", "replicate token list --json"))
def list_tokens(context: typer.Context, json: Json = False) -> None:
    """List tokens, those included that are over; what they are cannot be read back."""
    from replicator.cli.output import print_json, print_table
    from replicator.cli.running import run_async

    tokens = run_async(_all(session_of(context)))
    if json:
        print_json({"tokens": list(map(_json, tokens))})
    else:
        header = ("TOKEN", "ROLE", "RULES", "MADE", "UNTIL", "REVOKED", "LAST USED")
        print_table(header, map(_row, tokens))


@app.command(epilog=examples("replicate token revoke ci"))
def revoke(context: typer.Context, name: _Name) -> None:
    """Let a token count no more, from the next request on."""
    from replicator.cli.running import run_async

    run_async(_revoke(session_of(context), name))
    print(f"revoked {name}")


async def _create(
    session: Session, name: str, role: str, patterns: list[str] | None, expires: str
) -> tuple[str, TokenRecord]:
    from replicator.config import values
    from replicator.service.access.identity import Role

    chosen = values.one_of(Role)(role, "--role")
    lifetime = values.duration(expires, "--expires")
    async with bootstrap.open_tokens(session.config()) as desk:
        return await desk.create(name, chosen, patterns=patterns or None, lifetime=lifetime)


async def _all(session: Session) -> Sequence[TokenRecord]:
    async with bootstrap.open_tokens(session.config()) as desk:
        return await desk.all()


async def _revoke(session: Session, name: str) -> None:
    async with bootstrap.open_tokens(session.config()) as desk:
        await desk.revoke(name)


def _json(record: TokenRecord) -> dict[str, Any]:
    from replicator.cli.output import time_json

    return {
        "name": record.name,
        "role": record.role,
        "rules": None if record.patterns is None else list(record.patterns),
        "created_at": time_json(record.created_at),
        "expires_at": time_json(record.expires_at),
        "revoked_at": time_json(record.revoked_at),
        "used_at": time_json(record.used_at),
    }


def _row(record: TokenRecord) -> tuple[object, ...]:
    from replicator.cli.text import time_text

    return (
        record.name,
        record.role,
        "all" if record.patterns is None else " ".join(record.patterns),
        time_text(record.created_at),
        time_text(record.expires_at),
        time_text(record.revoked_at),
        time_text(record.used_at),
    )
