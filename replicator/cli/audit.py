"""``replicate audit``: who changed what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from replicator import bootstrap
from replicator.cli.exit_codes import FAILED
from replicator.cli.groups import examples
from replicator.cli.options import Json
from replicator.cli.session import Session, session_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replicator.store.audit_trail import AuditRecord, Verification

EXAMPLES: Final = examples(
    "replicate audit", "replicate audit --kind rule --name base-images", "replicate audit --verify"
)
_HEADER: Final = ("WHEN", "WHO", "BY", "DID", "WHAT", "CHANGE")


def audit(
    context: typer.Context,
    kind: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="rule, registry, credential, token or run."),
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Of what was changed.")] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="NUMBER", help="How many, at most.")] = 50,
    verify: Annotated[
        bool, typer.Option("--verify", help="Look whether anybody has rewritten it.")
    ] = False,
    json: Json = False,
) -> None:
    """Show changes of rules, registries, credentials and tokens, newest first.

    With --verify it exits with 1 when the chain of hashes is broken. Note the hash that it ends
    with elsewhere: it also shows when records at the end are removed.
    """
    from replicator.cli.output import print_json, print_table
    from replicator.cli.running import run_async

    session = session_of(context)
    if verify:
        _tell(run_async(_verify(session)), json=json)
        return
    records = run_async(_page(session, kind, name, limit))
    if json:
        print_json({"audit": list(map(_json, records))})
    else:
        print_table(_HEADER, map(_row, records))


def _tell(found: Verification, *, json: bool) -> None:
    from replicator.cli.messages import complain
    from replicator.cli.output import print_json

    if json:
        print_json({"records": found.rows, "head": found.head, "broken_at": found.broken_at})
    else:
        print(f"{found.rows} records are as they were written; the last hash is {found.head}")
    if found.broken_at is not None:
        complain(f"record {found.broken_at} does not fit behind the one before it")
        raise typer.Exit(FAILED)


async def _verify(session: Session) -> Verification:
    async with bootstrap.open_audit(session.config()) as audit:
        return await audit.verify()


async def _page(
    session: Session, kind: str | None, name: str | None, limit: int
) -> Sequence[AuditRecord]:
    async with bootstrap.open_audit(session.config()) as audit:
        return await audit.page(before=None, limit=limit, kind=kind, name=name)


def _row(record: AuditRecord) -> tuple[object, ...]:
    from replicator.cli.text import time_text

    change = record.change
    return (
        time_text(record.at),
        record.actor,
        record.via,
        change.action,
        f"{change.kind} {change.name}",
        _difference(change.old or {}, change.new or {}),
    )


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Say which keys are others now; of what is new or gone altogether the name says enough."""
    if not old or not new:
        return ""
    return ", ".join(key for key in new if old.get(key) != new[key])


def _json(record: AuditRecord) -> dict[str, Any]:
    from replicator.cli.output import time_json

    change = record.change
    return {
        "id": record.id,
        "at": time_json(record.at),
        "actor": record.actor,
        "via": record.via,
        "action": change.action,
        "kind": change.kind,
        "name": change.name,
        "old": change.old,
        "new": change.new,
        "hash": record.hash,
    }
