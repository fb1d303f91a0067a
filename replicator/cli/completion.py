"""What the shell offers to complete: names that the configuration and the database know.

Nobody is told of an error while he is typing: then there is nothing to offer.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

import typer

from replicator import bootstrap

if TYPE_CHECKING:
    from replicator.config import Config

_RECENT = 50


def complete_rules(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of rules that begin like *incomplete*."""

    async def names(config: Config) -> Iterable[str]:
        async with bootstrap.open_rulebook(config) as rulebook:
            return [rule.name for rule in await rulebook.all()]

    return _offer(context, incomplete, names)


def complete_runs(context: typer.Context, incomplete: str) -> list[str]:
    """Return the ids of recent runs that begin like *incomplete*, newest first."""

    async def ids(config: Config) -> Iterable[str]:
        async with bootstrap.open_runs(config) as runs:
            return [run.id for run in await runs.recent(limit=_RECENT)]

    return _offer(context, incomplete, ids)


def complete_registries(context: typer.Context, incomplete: str) -> list[str]:
    """Return the hosts of configured registries that begin like *incomplete*."""

    async def hosts(config: Config) -> Iterable[str]:
        return config.registries

    return _offer(context, incomplete, hosts)


def _offer(
    context: typer.Context,
    incomplete: str,
    find: Callable[[Config], Coroutine[Any, Any, Iterable[str]]],
) -> list[str]:
    import asyncio

    options = context.find_root().params
    try:
        config = bootstrap.read_config(options.get("config"), database=options.get("database"))
        found = asyncio.run(find(config))
    except Exception:
        return []
    return [each for each in found if each.startswith(incomplete) and each not in _given(context)]


def _given(context: typer.Context) -> set[str]:
    """Return what stands on the line already, and is not offered again."""
    lists = (value for value in context.params.values() if isinstance(value, list | tuple))
    return {str(each) for value in lists for each in value}
