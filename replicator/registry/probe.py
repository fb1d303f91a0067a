"""Probe: what can be found out about a registry without changing anything, or little."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Sized
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, TypeVar

from replicator.errors import RegistryError
from replicator.events import BlobOutcome
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.media_types import OCTET_STREAM
from replicator.oci.reference import Tag
from replicator.registry.client import Registry
from replicator.registry.protocols import Piece
from replicator.registry.repository import Repository

T = TypeVar("T")

# In bytes, of the blob that is sent to see how blobs are taken.
_TRIAL_SIZE: Final = 32


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about *subject*; *good* is None where it is neither good nor bad."""

    subject: str
    text: str
    good: bool | None = None


async def probe(
    registry: Registry, path: str | None = None, *, writes: bool = False
) -> AsyncIterator[Finding]:
    """Find out how *registry* behaves, and with *path* how that repository does.

    Nothing is changed unless *writes* is set: then a blob of a few random bytes is sent to the
    repository. Nothing refers to it, so the registry's garbage collection removes it. Raises
    InvalidReference if *path* is none.
    """
    repository = None if path is None else registry.repository(path)
    address = await _found("address", _address(registry))
    yield address
    if not address.good:
        return
    yield await _found("login", _login(registry))
    yield Finding("kind", registry.knowledge.profile.kind)
    yield await _found("catalogue", _catalogue(registry))
    if repository is None:
        return
    tags: list[Tag] = []
    yield await _found("tags", _tags(repository, tags))
    if tags:
        yield await _found("digests", _digests(registry, repository, tags[0]))
        yield await _found("referrers", _referrers(registry, repository, tags[0]))
    if writes:
        yield await _found("uploads", _uploads(registry, repository))


async def _found(subject: str, check: Awaitable[Finding]) -> Finding:
    try:
        return await check
    except RegistryError as error:
        return Finding(subject, str(error), good=False)


async def _address(registry: Registry) -> Finding:
    await registry.ping()
    return Finding("address", registry.origin, good=True)


async def _login(registry: Registry) -> Finding:
    scheme = await registry.check_login()
    words = {"Bearer": "accepted; works with tokens", "Basic": "accepted; works with a password"}
    return Finding("login", words.get(scheme, "nobody has to log in"), good=True)


async def _catalogue(registry: Registry) -> Finding:
    """Many registries have no catalogue for most of their users, and can do without."""
    try:
        first = await _first(registry.list_repositories())
    except RegistryError as error:
        return Finding("catalogue", f"none for this login ({error})")
    return Finding("catalogue", f"{_count(first, 'repository', 'repositories')} on its first page")


async def _tags(repository: Repository, found: list[Tag]) -> Finding:
    found += await _first(repository.list_tags())
    return Finding("tags", f"{_count(found, 'tag', 'tags')} on the first page", good=True)


async def _digests(registry: Registry, repository: Repository, tag: Tag) -> Finding:
    await repository.resolve(tag)
    if registry.knowledge.trusts_head is False:
        return Finding("digests", "HEAD does not tell; each check of a tag is a pull", good=False)
    return Finding("digests", "told by HEAD", good=True)


async def _referrers(registry: Registry, repository: Repository, tag: Tag) -> Finding:
    subject = await repository.resolve(tag)
    await repository.list_referrers(subject.digest)
    by_api = registry.knowledge.referrers_api
    return Finding("referrers", "by the API" if by_api else "by the tag schema", good=True)


async def _uploads(registry: Registry, repository: Repository) -> Finding:
    content = secrets.token_bytes(_TRIAL_SIZE)
    blob = Descriptor(OCTET_STREAM, Digest.of(content), len(content))
    offer = await repository.offer_blob(blob)
    if not isinstance(offer, BlobOutcome):
        await offer.send(_pieces(content))
    knowledge = registry.knowledge
    mounts = "told by mounts" if knowledge.self_mount else "asked for one by one"
    return Finding(
        "uploads", f"sent by {knowledge.way.shape}; present blobs are {mounts}", good=True
    )


async def _first(pages: AsyncGenerator[tuple[T, ...], None]) -> tuple[T, ...]:
    async with aclosing(pages):
        async for page in pages:
            return page
    return ()


async def _pieces(content: bytes) -> AsyncIterator[Piece]:
    yield content


def _count(things: Sized, one: str, many: str) -> str:
    return f"{len(things)} {one if len(things) == 1 else many}"
