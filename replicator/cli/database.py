"""``replicate db``: the schema of the database."""

from __future__ import annotations

import typer

from replicator.cli.exit_codes import FAILED
from replicator.cli.groups import examples, group
from replicator.cli.session import session_of

app = group("Look after the database.")


@app.command(
    epilog=examples(
        "replicate db upgrade",
        "replicate --database postgresql://replicator@db.example.com/replicator db upgrade",
    )
)
def upgrade(context: typer.Context) -> None:
    """Bring the schema up to date, and make the database if it is a file.

    A file is also brought up to date by whatever command uses it; a server's database is not, as
    others may be using it.
    """
    from replicator.cli.running import run_async
    from replicator.store import migrate

    url = session_of(context).config().service.database
    print(f"the schema is {run_async(migrate.upgrade(url))}")


@app.command(epilog=examples("replicate db current"))
def current(context: typer.Context) -> None:
    """Show which schema the database has."""
    from replicator.cli.running import run_async
    from replicator.store import migrate

    url = session_of(context).config().service.database
    revision = run_async(migrate.current(url))
    print(f"the schema is {revision}" if revision else "there is no schema yet")


@app.command(epilog=examples("replicate db check && replicate run"))
def check(context: typer.Context) -> None:
    """Make sure that the database has the tables that this version needs.

    Exits with 1 when something differs, and with 2 when the schema is older or newer.
    """
    from replicator.cli.running import run_async
    from replicator.store import migrate

    url = session_of(context).config().service.database
    differences = run_async(migrate.check(url))
    for difference in differences:
        print(difference)
    if differences:
        raise typer.Exit(FAILED)
    print("the database is as it should be")
