"""Whether the repositories that a rule's pattern is about can be listed at all."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing
from typing import Any, cast

from replicator.errors import ConfigError, RegistryError, RegistryUnavailable
from replicator.planning.prepared import prepare
from replicator.planning.rule import Rule
from replicator.planning.source import Source
from replicator.service.outside.registries import Registries


async def check_listable(rules: Iterable[Rule], registries: Registries) -> None:
    """Ask for the first page of what each pattern needs, so that a rule that can never work is
    refused when it is saved and not at three in the morning.

    A registry that is out of reach now may answer then. Raises ConfigError.
    """
    for rule in rules:
        source = prepare(rule, where=f'rule "{rule.name}": ').source
        if source.repositories is not None:
            continue
        try:
            await _first_page(source, registries)
        except RegistryUnavailable:
            continue
        except RegistryError as error:
            raise ConfigError(
                f'rule "{rule.name}": source: {source.registry} does not list its repositories '
                f"({error}); name them with repositories.include"
            ) from None


async def _first_page(source: Source, registries: Registries) -> None:
    pages = registries.list_repositories(source.registry, source.fixed)
    async with aclosing(cast(Any, pages)):
        async for _ in pages:
            return
