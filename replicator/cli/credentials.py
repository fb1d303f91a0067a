"""``replicate credential``: secrets of registries that the database keeps, sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from replicator import bootstrap
from replicator.cli.groups import examples, group
from replicator.cli.login import ask_credentials, registry_name
from replicator.cli.options import Json, PasswordStdin, Username
from replicator.cli.session import Session, session_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replicator.registry.settings import Credentials
    from replicator.service.access.credentials import Rekeyed
    from replicator.store.credentials import CredentialRecord

app = group("Keep logins of registries in the database, sealed with the secret key.")

_Name = Annotated[str, typer.Argument(metavar="NAME", help="What the credential is called.")]


@app.command(
    name="list", epilog=examples("replicate credential list", "replicate credential list --json")
)
def list_credentials(context: typer.Context, json: Json = False) -> None:
    """List credentials; their secrets cannot be read back."""
    from replicator.cli.output import print_json, print_table
    from replicator.cli.running import run_async

    found = list(map(_json, run_async(_all(session_of(context)))))
    if json:
        print_json({"credentials": found})
    else:
        header = ("CREDENTIAL", "REGISTRY", "USER", "SECRET", "CHANGED")
        print_table(header, (tuple(each.values()) for each in found))


@app.command(
    name="set",
    epilog=examples(
        "replicate credential set harbor --host registry.example.com -u robot",
        "cat password | replicate credential set hub --host docker.io -u acme --password-stdin",
    ),
)
def set_credential(
    context: typer.Context,
    name: _Name,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="The registry it is for, and no other.")
    ],
    username: Username = "",
    password_stdin: PasswordStdin = False,
) -> None:
    """Keep a login, instead of the one of that name. It takes effect at once, in services, too.

    One for another registry is not replaced: delete that first, or choose another name.

    The entry of the registry names it: credential = { stored = "NAME" }.
    """
    from replicator.cli.running import run_async

    credentials = ask_credentials(username, from_stdin=password_stdin)
    registry = registry_name(host)
    run_async(_put(session_of(context), name, registry, credentials))
    print(f"{name} is set, for {registry}")


@app.command(epilog=examples("replicate credential delete harbor"))
def delete(context: typer.Context, name: _Name) -> None:
    """Forget a credential."""
    from replicator.cli.running import run_async

    run_async(_delete(session_of(context), name))
    print(f"deleted {name}")


@app.command(epilog=examples("replicate credential rekey"))
def rekey(context: typer.Context) -> None:
    """Seal with the first key of the key file what an older key behind it has sealed.

    Everything goes on meanwhile. When nothing is left, the older key may go. Tokens follow when
    they are used: one that was not used since the new key came has to be made anew then.
    """
    from replicator.cli.running import run_async

    found = run_async(_rekey(session_of(context)))
    print(f"{found.done} sealed anew, {found.left} left with an older key")


async def _all(session: Session) -> Sequence[CredentialRecord]:
    async with bootstrap.open_credentials(session.config()) as desk:
        return await desk.all()


async def _put(session: Session, name: str, host: str, credentials: Credentials) -> None:
    async with bootstrap.open_credentials(session.config()) as desk:
        await desk.put(name, host, credentials)


async def _delete(session: Session, name: str) -> None:
    async with bootstrap.open_credentials(session.config()) as desk:
        await desk.delete(name)


async def _rekey(session: Session) -> Rekeyed:
    from replicator.cli.messages import say

    async with bootstrap.open_credentials(session.config()) as desk:
        return await desk.rekey(lambda now: say(f"{now.left} left"))


def _json(record: CredentialRecord) -> dict[str, Any]:
    from replicator.cli.output import time_json

    return {
        "name": record.name,
        "host": record.host,
        "username": record.username,
        "secret": "cleared" if record.sealed is None else "set",
        "updated_at": time_json(record.updated_at),
    }
