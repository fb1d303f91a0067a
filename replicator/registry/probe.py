"""Probe: what can be found out about a registry without changing anything, or little."""

from __future__ import annotations

import secrets
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Iterable,
    Mapping,
    Sized,
)
from contextlib import aclosing, suppress
from dataclasses import field
from typing import Any, Final, TypeVar

from replicator.errors import NotFound, RegistryError
from replicator.events import BlobOutcome
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.media_types import OCTET_STREAM
from replicator.oci.reference import Tag
from replicator.registry.client import Registry
from replicator.registry.facts import Facts
from replicator.registry.protocols import Piece
from replicator.registry.repository import Repository
from replicator.registry.trials import Trials
from replicator.values import dataclass

T = TypeVar("T")

# In bytes, of the blob that is sent to see how blobs are taken.
_TRIAL_SIZE: Final = 32
# A tag that nobody has.
_NO_TAG: Final = Tag("replicate-registry-check-there-is-no-such-tag")


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about *subject*; *good* is None where it is neither good nor bad.

    *facts* are the same for later runs, by the names that Facts has.
    """

    subject: str
    text: str
    good: bool | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def facts_of(findings: Iterable[Finding]) -> Facts:
    """Return what is worth being kept of what was found."""
    return Facts(**{name: value for each in findings for name, value in each.facts.items()})


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
    kind = registry.knowledge.profile.kind
    yield Finding("kind", kind, facts={"kind": kind})
    yield await _found("catalogue", _catalogue(registry))
    if repository is None:
        return
    trials, tags = registry.trials(repository.name.path), list[Tag]()
    yield await _found("rights", _rights(trials, writes=writes))
    yield await _found("tags", _tags(repository, tags))
    if tags:
        yield await _found("pages", _pages(trials))
        yield await _found("digests", _digests(registry, repository, tags[0]))
        yield await _found("conditional requests", _conditional(trials, repository, tags[0]))
        yield await _found("referrers", _referrers(registry, repository, tags[0]))
    yield _deletions(repository)
    if writes:
        yield await _found("uploads", _uploads(registry, repository))
        yield await _found("ways of uploading", _ways(trials))


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
    text = words.get(scheme, "nobody has to log in")
    return Finding("login", text, good=True, facts={"auth": scheme})


async def _rights(trials: Trials, *, writes: bool) -> Finding:
    missing = await trials.missing_actions(writes=writes)
    if missing is None:
        return Finding("rights", "not told; what is asked for is answered or refused")
    if missing:
        return Finding(
            "rights", f"the login lacks the right to {' and '.join(missing)}", good=False
        )
    return Finding("rights", "to read and to write" if writes else "to read", good=True)


async def _catalogue(registry: Registry) -> Finding:
    """Many registries have no catalogue for most of their users, and can do without."""
    try:
        first = await _first(registry.list_repositories())
    except RegistryError as error:
        return Finding("catalogue", f"none for this login ({error})", facts={"catalogue": False})
    text = f"{_count(first, 'repository', 'repositories')} on its first page"
    return Finding("catalogue", text, facts={"catalogue": True})


async def _tags(repository: Repository, found: list[Tag]) -> Finding:
    found += await _first(repository.list_tags())
    return Finding("tags", f"{_count(found, 'tag', 'tags')} on the first page", good=True)


async def _pages(trials: Trials) -> Finding:
    paged = await trials.paged()
    words = {
        None: "too few tags to tell",
        True: "as large as is asked for",
        False: "all tags at once, however few are asked for",
    }
    return Finding("pages", words[paged], facts={} if paged is None else {"paged": paged})


async def _conditional(trials: Trials, repository: Repository, tag: Tag) -> Finding:
    honoured = await trials.conditional(tag, (await repository.resolve(tag)).digest)
    text = "answered 304 to a digest that is known" if honoured else "not honoured"
    return Finding("conditional requests", text, facts={"conditional": honoured})


async def _digests(registry: Registry, repository: Repository, tag: Tag) -> Finding:
    await repository.resolve(tag)
    told = registry.knowledge.trusts_head is not False
    with suppress(NotFound):
        await repository.resolve(_NO_TAG)
    if not told:
        return Finding(
            "digests",
            "HEAD does not tell; each check of a tag is a pull",
            good=False,
            facts={"digest_header": False, "trusts_head": False},
        )
    trusted = bool(registry.knowledge.trusts_head)
    facts = {"digest_header": True, "trusts_head": trusted}
    text = "told by HEAD" if trusted else "told by HEAD, but not that there is none"
    return Finding("digests", text, good=True, facts=facts)


async def _referrers(registry: Registry, repository: Repository, tag: Tag) -> Finding:
    subject = await repository.resolve(tag)
    await repository.list_referrers(subject.digest)
    by_api = registry.knowledge.referrers_api
    text = "by the API" if by_api else "by the tag schema"
    return Finding("referrers", text, good=True, facts={"referrers_api": bool(by_api)})


def _deletions(repository: Repository) -> Finding:
    """Nothing is deleted to find out."""
    possible = repository.deletes_tags
    text = "of a tag alone"
    if not possible:
        text += " is not known to be possible; an entry with its kind may say so, such as "
        text += 'kind = "distribution" for distribution 3'
    return Finding("deletion", text)


async def _uploads(registry: Registry, repository: Repository) -> Finding:
    content = secrets.token_bytes(_TRIAL_SIZE)
    blob = Descriptor(OCTET_STREAM, Digest.of(content), len(content))
    offer = await repository.offer_blob(blob)
    if not isinstance(offer, BlobOutcome):
        await offer.send(_pieces(content))
    knowledge = registry.knowledge
    mounts = "told by mounts" if knowledge.self_mount else "asked for one by one"
    return Finding(
        "uploads",
        f"sent by {knowledge.way.shape}; present blobs are {mounts}",
        good=True,
        facts={"upload": str(knowledge.way.shape), "self_mount": bool(knowledge.self_mount)},
    )


async def _ways(trials: Trials) -> Finding:
    """Try those that the profile avoids as well: it is their answers that are of interest."""
    chunked, resumed = await trials.in_chunks()
    ways = {
        "single_request": await trials.single_request(),
        "streamed": await trials.streamed(),
        "chunked": chunked,
        "resumed": resumed,
    }
    names = {
        "single_request": "in a single request",
        "streamed": "without a length",
        "chunked": "in chunks",
        "resumed": "resumed",
    }
    texts = [names[way] if works else f"not {names[way]}" for way, works in ways.items()]
    return Finding("ways of uploading", ", ".join(texts), facts=ways)


async def _first(pages: AsyncGenerator[tuple[T, ...], None]) -> tuple[T, ...]:
    async with aclosing(pages):
        async for page in pages:
            return page
    return ()


async def _pieces(content: bytes) -> AsyncIterator[Piece]:
    yield content


def _count(things: Sized, one: str, many: str) -> str:
    return f"{len(things)} {one if len(things) == 1 else many}"
