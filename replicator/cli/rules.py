"""``replicate rule``: what should be kept in step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from replicator import bootstrap
from replicator.cli import rule_editing
from replicator.cli.completion import complete_rules
from replicator.cli.groups import examples, group
from replicator.cli.options import Json
from replicator.cli.session import Session, session_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replicator.planning.rule import Rule

app = group("Show and change the rules: what should be kept in step.")
app.command(epilog=rule_editing.ADD_EXAMPLES)(rule_editing.add)
app.command(epilog=rule_editing.EDIT_EXAMPLES)(rule_editing.edit)
app.command(epilog=rule_editing.ENABLE_EXAMPLES)(rule_editing.enable)
app.command(epilog=rule_editing.DISABLE_EXAMPLES)(rule_editing.disable)
app.command(epilog=rule_editing.DELETE_EXAMPLES)(rule_editing.delete)
app.command(epilog=rule_editing.EXPORT_EXAMPLES)(rule_editing.export)


@app.command(name="list", epilog=examples("replicate rule list", "replicate rule list --json"))
def list_rules(context: typer.Context, json: Json = False) -> None:
    """List all rules, those of the configuration file included."""
    from replicator.cli.output import print_json, print_table
    from replicator.cli.rule_text import RULE_HEADER, rule_json, rule_row
    from replicator.cli.running import run_async

    rules = run_async(_all(session_of(context)))
    if json:
        print_json({"rules": list(map(rule_json, rules))})
    else:
        print_table(RULE_HEADER, map(rule_row, rules))


@app.command(
    name="show",
    epilog=examples("replicate rule show base-images", "replicate rule show base-images --json"),
)
def show_rule(
    context: typer.Context,
    rule: Annotated[
        str, typer.Argument(metavar="RULE", help="Name of the rule.", autocompletion=complete_rules)
    ],
    json: Json = False,
) -> None:
    """Show one rule with all that was said of it."""
    from replicator.cli.output import print_fields, print_json
    from replicator.cli.rule_text import rule_fields, rule_json
    from replicator.cli.running import run_async

    found = run_async(_one(session_of(context), rule))
    if json:
        print_json(rule_json(found))
    else:
        print_fields(rule_fields(found))


async def _all(session: Session) -> Sequence[Rule]:
    async with bootstrap.open_rulebook(session.config()) as rulebook:
        return await rulebook.all()


async def _one(session: Session, name: str) -> Rule:
    async with bootstrap.open_rulebook(session.config()) as rulebook:
        return (await rulebook.named([name]))[0]
