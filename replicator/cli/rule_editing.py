"""``replicate rule add``, ``edit``, ``enable``, ``disable``, ``delete`` and ``export``."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from replicator import bootstrap
from replicator.cli.completion import complete_rules
from replicator.cli.groups import examples
from replicator.cli.rule_flags import overlaid, takes_rule_flags
from replicator.cli.session import Session, session_of

if TYPE_CHECKING:
    from replicator.planning.rule import Rule

ADD_EXAMPLES: Final = examples(
    "replicate rule add alpine --source alpine "
    "--destination registry.example.com/hub/{name} --semver '>=3.18'",
    "replicate rule add team --source 'quay.io/team/*' "
    "--destination registry.example.com/{repository} --schedule '0 3 * * *'",
)
EDIT_EXAMPLES: Final = examples(
    "replicate rule edit alpine",
    "replicate rule edit alpine --latest 5 --schedule ''",
)
ENABLE_EXAMPLES: Final = examples("replicate rule enable alpine")
DISABLE_EXAMPLES: Final = examples("replicate rule disable alpine")
DELETE_EXAMPLES: Final = examples("replicate rule delete alpine")
EXPORT_EXAMPLES: Final = examples(
    "replicate rule export > rules.toml", "replicate rule export alpine --format yaml"
)

_Name: TypeAlias = Annotated[
    str, typer.Argument(metavar="RULE", help="Name of the rule.", autocompletion=complete_rules)
]


class Format(enum.StrEnum):
    TOML = "toml"
    YAML = "yaml"


@takes_rule_flags
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the rule is to be called.")],
    said: dict[str, Any],
) -> None:
    """Keep a new rule in the database.

    It is checked as a whole, and together with all others: no two rules may write one tag.
    """
    from replicator.cli.running import run_async
    from replicator.config.rules import read_rule

    rule = read_rule(overlaid({"name": name}, said))
    kept = run_async(_add(session_of(context), rule))
    print(f"added {kept.name}; `replicate plan {kept.name}` shows what it would do")


@takes_rule_flags
def edit(context: typer.Context, rule: _Name, said: dict[str, Any]) -> None:
    """Change a rule: what is given as options, or without any all of it in your editor.

    An empty value takes a setting away: --schedule ''.
    """
    from replicator.cli.rule_editor import editing
    from replicator.cli.running import run_async
    from replicator.config.rule_file import rule_table
    from replicator.config.rules import read_rule

    session = session_of(context)
    before = run_async(_find(session, rule))
    if said:
        kept = run_async(_replace(session, before, read_rule(overlaid(rule_table(before), said))))
    else:
        with editing(before) as after:
            kept = run_async(_replace(session, before, after))
    print(f"{kept.name} is at revision {kept.revision}")


def enable(context: typer.Context, rule: _Name) -> None:
    """Let a rule be carried out when it is due, and when all rules are."""
    _switch(context, rule, enabled=True)


def disable(context: typer.Context, rule: _Name) -> None:
    """Let a rule rest; it is carried out only when it is named."""
    _switch(context, rule, enabled=False)


def delete(context: typer.Context, rule: _Name) -> None:
    """Forget a rule. What it copied stays, and so does its history."""
    from replicator.cli.running import run_async

    run_async(_remove(session_of(context), rule))
    print(f"deleted {rule}")


def export(
    context: typer.Context,
    rules: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RULE]...",
            help="Names of rules; all if none is given.",
            autocompletion=complete_rules,
        ),
    ] = None,
    file_format: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.TOML,
) -> None:
    """Print rules as a file that `replicate apply` takes."""
    from replicator.cli.running import run_async
    from replicator.config.rule_file import to_toml, to_yaml

    write = to_toml if file_format is Format.TOML else to_yaml
    print(write(run_async(_all(session_of(context), rules or ()))), end="")


def _switch(context: typer.Context, name: str, *, enabled: bool) -> None:
    from dataclasses import replace

    from replicator.cli.running import run_async

    kept = run_async(
        _change(session_of(context), name, lambda rule: replace(rule, enabled=enabled))
    )
    print(f"{kept.name} is {'enabled' if enabled else 'disabled'}")


async def _add(session: Session, rule: Rule) -> Rule:
    config = session.config()
    await bootstrap.check_listable(config, [rule])
    async with bootstrap.open_rulebook(config, writes=True) as rulebook:
        return await rulebook.add(rule)


async def _replace(session: Session, before: Rule, after: Rule) -> Rule:
    """Put *after* in the place of *before*, unless somebody else has changed that meanwhile."""
    from dataclasses import replace

    config = session.config()
    await bootstrap.check_listable(config, [after])
    async with bootstrap.open_rulebook(config, writes=True) as rulebook:
        return await rulebook.change(
            before.name, lambda _: replace(after, revision=before.revision)
        )


async def _change(session: Session, name: str, change: Callable[[Rule], Rule]) -> Rule:
    async with bootstrap.open_rulebook(session.config(), writes=True) as rulebook:
        return await rulebook.change(name, change)


async def _remove(session: Session, name: str) -> None:
    async with bootstrap.open_rulebook(session.config(), writes=True) as rulebook:
        await rulebook.remove(name)


async def _find(session: Session, name: str) -> Rule:
    from replicator.service.rules.rule_changes import refuse_file_rule

    rule = (await _all(session, [name]))[0]
    refuse_file_rule(rule)
    return rule


async def _all(session: Session, names: Sequence[str]) -> Sequence[Rule]:
    async with bootstrap.open_rulebook(session.config()) as rulebook:
        return await rulebook.named(names) if names else await rulebook.all()
