"""One copy that no rule asks for: a source reference to some destinations."""

from __future__ import annotations

from collections.abc import Sequence

from replicator.errors import ConfigError
from replicator.oci.platform import Platform
from replicator.oci.reference import DEFAULT_TAG, Reference, RepositoryName, Tag
from replicator.service.outside.protocols import Copier
from replicator.service.outside.registries import Registries
from replicator.transfer.order import Destination, Order, Result


async def copy_once(
    source: Reference,
    destinations: Sequence[Reference],
    *,
    registries: Registries,
    copier: Copier,
    platforms: Sequence[Platform] = (),
    referrers: bool = True,
) -> tuple[Result, ...]:
    """Copy one image to each of *destinations*, and return what became of each, in order.

    A destination without a tag takes the source's, which is ``latest`` if it names nothing.
    Raises ConfigError, before anything is sent, when a destination has a digest, names the source
    itself or another destination, when there is no tag to take, or a secret cannot be read.
    """
    tagged = [(each.repository, _tag_of(each, source)) for each in destinations]
    _check_apart(source, tagged)
    names = (source.repository, *(name for name, _ in tagged))
    await registries.require_logins((name.registry, name.path) for name in names)
    order = Order(
        registries.repository(source.repository),
        source.manifest,
        tuple(Destination(registries.repository(name), tag) for name, tag in tagged),
        tuple(platforms),
        referrers,
    )
    return await copier.copy(order)


def _tag_of(destination: Reference, source: Reference) -> Tag:
    if destination.digest is not None:
        raise ConfigError(f"{destination} names a digest; a destination has a tag, or none")
    if destination.tag is not None:
        return destination.tag
    if source.tag is None and source.digest is not None:
        raise ConfigError(f"{destination} needs a tag, as the source names a digest alone")
    return source.tag or Tag(DEFAULT_TAG)


def _check_apart(source: Reference, tagged: Sequence[tuple[RepositoryName, Tag]]) -> None:
    for position, (repository, tag) in enumerate(tagged):
        if repository == source.repository and source.manifest == tag:
            raise ConfigError(f"{repository}:{tag} is both the source and a destination")
        if (repository, tag) in tagged[:position]:
            raise ConfigError(f"{repository}:{tag} is named twice as a destination")
