"""Which repositories of a source there are."""

from __future__ import annotations

from collections.abc import AsyncIterator

from replicator.oci.reference import RepositoryName
from replicator.planning.prepared import PreparedRule
from replicator.planning.source import Source
from replicator.service.looking.only import Only
from replicator.service.outside.registries import Registries


async def discover(source: Source, registries: Registries) -> AsyncIterator[RepositoryName]:
    """Yield the repositories of *source*, each once, as they become known.

    Those that the rule names cost nothing; for the others the registry's vendor is asked what is
    below the fixed part of the pattern, or the registry for its catalogue. Raises RegistryError
    when that breaks off; what came before is right.
    """
    if source.repositories is not None:
        for name in source.repositories:
            yield name
        return
    async for page in registries.list_repositories(source.registry, source.fixed):
        for path in page:
            name = RepositoryName(source.registry, path)
            if source.match(name) is not None:
                yield name


async def discover_some(
    rule: PreparedRule, only: Only | None, registries: Registries
) -> AsyncIterator[RepositoryName]:
    """Yield the repositories of *rule*, of which some may be all that a run is about."""
    if only is None:
        async for name in discover(rule.source, registries):
            yield name
        return
    for name in only.repositories:
        if rule.source.match(name) is not None:
            yield name
