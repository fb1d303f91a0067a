"""``replicate apply``: a file of rules, shown as a difference and then kept."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from replicator import bootstrap
from replicator.cli.groups import examples
from replicator.cli.rule_flags import differences
from replicator.cli.session import Session, session_of
from replicator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replicator.planning.rule import Rule
    from replicator.service.rules.rule_changes import Difference

EXAMPLES: Final = examples("replicate apply rules.toml", "replicate apply rules.yaml --prune --yes")


def apply(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Rules, in TOML or, as *.yaml, in YAML.")
    ],
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete the rules that the file does not have.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Make the rules of the database those of a file.

    Shows what would change and asks, unless --yes is given. All of it is done, or nothing; rules
    of the configuration file stay what they are.
    """
    from replicator.cli.running import run_async
    from replicator.config.rule_file import read_rule_file
    from replicator.service.rules.rule_places import naming_file

    wanted = read_rule_file(file)
    with naming_file(file, wanted):
        difference = run_async(_compare(session_of(context), wanted, prune=prune))
    for line in _text(difference):
        print(line)
    if not difference:
        print("the rules are as the file has them")
        return
    if not yes:
        _ask()
    run_async(_apply(session_of(context), difference))
    print("applied")


def _ask() -> None:
    """Go on only if somebody is there and says so."""
    if not sys.stdin.isatty():
        raise ConfigError("nothing was changed, as there is nobody to ask; add --yes")
    sys.stdout.flush()
    if not typer.confirm("Apply this?", err=True):
        raise typer.Exit(0)


def _text(difference: Difference) -> Iterator[str]:
    """Yield the lines of a difference: rules, and below each what changes in it."""
    from replicator.config.rule_file import rule_table

    for rule in difference.added:
        yield f"+ {rule.name}"
        yield from _keys("+", {}, rule_table(rule))
    for before, after in difference.changed:
        yield f"~ {after.name}"
        yield from _keys("~", rule_table(before), rule_table(after))
    for rule in difference.removed:
        yield f"- {rule.name}"


def _keys(mark: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    from replicator.cli.text import printable

    for key, old, new in differences(before, after):
        if key == "name":
            continue
        change = _shown(new) if mark == "+" else f"{_shown(old)} → {_shown(new)}"
        yield f"{mark}     {key} = {printable(change)}"


def _shown(value: Any) -> str:
    from replicator.config.rule_file import toml_value

    return "(default)" if value is None else toml_value(value)


async def _compare(session: Session, wanted: Sequence[Rule], *, prune: bool) -> Difference:
    config = session.config()
    async with bootstrap.open_rulebook(config) as rulebook:
        difference = await rulebook.compare(wanted, prune=prune)
    new = (*difference.added, *(after for _, after in difference.changed))
    await bootstrap.check_listable(config, new)
    return difference


async def _apply(session: Session, difference: Difference) -> None:
    async with bootstrap.open_rulebook(session.config(), writes=True) as rulebook:
        await rulebook.apply(difference)
