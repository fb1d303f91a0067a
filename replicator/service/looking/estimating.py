"""How many bytes the copies of a plan are about, at most."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from replicator.errors import ReplicatorError
from replicator.oci.digest import Digest
from replicator.oci.platform import Platform
from replicator.oci.reference import DOCKER_HUB, RepositoryName
from replicator.planning.plan import Action, Decision
from replicator.service.looking.content_reading import read_content
from replicator.service.outside.registries import Registries
from replicator.transfer.concurrency import together

# Images of a plan whose manifests are read; what is beyond them has no estimate.
_MOST: Final = 200
_AT_ONCE: Final = 16


async def with_sizes(
    actions: Sequence[Action], registries: Registries, platforms: Sequence[Platform]
) -> tuple[Action, ...]:
    """Return *actions* with the size of each image that would be copied.

    All its blobs count, whatever the destination may have of them. Docker Hub is not asked, as
    each manifest there is a pull; what cannot be read has no size.
    """
    images = list(dict.fromkeys(filter(None, map(_image, actions))))[:_MOST]
    slots = asyncio.Semaphore(_AT_ONCE)

    async def size(image: tuple[RepositoryName, Digest]) -> int | None:
        name, digest = image
        async with slots:
            try:
                reader = registries.repository(name)
                return (await read_content(reader, digest, platforms=platforms, labels=False)).size
            except ReplicatorError:
                return None

    sizes = dict(zip(images, await together(map(size, images)), strict=True))
    return tuple(
        action if (image := _image(action)) is None else replace(action, size=sizes.get(image))
        for action in actions
    )


def _image(action: Action) -> tuple[RepositoryName, Digest] | None:
    """Return the image that *action* copies, if its manifests may be read for an estimate."""
    if action.decision is not Decision.COPY or action.source is None or action.digest is None:
        return None
    return None if action.source.registry == DOCKER_HUB else (action.source, action.digest)
