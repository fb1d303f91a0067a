"""Verifying: is what was published still there, whole, and what it was?"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, Protocol

from replicator.errors import InvalidReference, NotFound, ReplicatorError
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.observation import Published
from replicator.planning.plan import Action, Decision
from replicator.planning.rule import Overwrite, Rule
from replicator.service.outside.protocols import Repository
from replicator.transfer.concurrency import together
from replicator.transfer.flights import Flights
from replicator.transfer.graph import blobs_of
from replicator.values import dataclass

# Tags that are looked at together, and requests for blobs of one image.
_TAGS: Final = 32
_BLOBS: Final = 16


class Drift(enum.StrEnum):
    """How a tag is not as it was published."""

    GONE = "gone"
    MOVED = "moved"
    BROKEN = "broken"
    UNSEEN = "unseen"


@dataclass(frozen=True, slots=True)
class Finding:
    """A tag that was looked at; ``drift`` is None when it is as it was published.

    ``lacks`` are blobs that its repository does not have.
    """

    row: Published
    drift: Drift | None = None
    reason: str = ""
    lacks: tuple[Digest, ...] = ()

    @property
    def name(self) -> str:
        """The destination tag."""
        return f"{self.row.destination}:{self.row.tag}"


class Ledger(Protocol):
    """Remembers what was published."""

    def published_by(self, rule: str) -> AsyncIterator[tuple[Published, ...]]:
        """Give all rows of a rule, in batches, those of one repository together."""
        ...


class Verifier:
    """Walks what was published at the destinations: the tag, its manifests, and that each blob is
    there. The bytes of blobs are not read: a registry keeps them by their digest."""

    def __init__(self, ledger: Ledger, repository: Callable[[RepositoryName], Repository]) -> None:
        self._ledger = ledger
        self._repository = repository

    async def verify(self, rule: str) -> AsyncIterator[Finding]:
        """Look at each tag of a rule, in batches. Raises StoreError."""
        async for rows in self._ledger.published_by(rule):
            for start in range(0, len(rows), _TAGS):
                batch = rows[start : start + _TAGS]
                walks = _Walks(self._repository)
                for finding in await together(walks.look(row) for row in batch):
                    yield finding


class _Walks:
    """What the walks of some tags share: no content of a repository is looked at twice."""

    def __init__(self, repository: Callable[[RepositoryName], Repository]) -> None:
        self._open = repository
        self._repositories: dict[RepositoryName, Repository] = {}
        self._seen: dict[tuple[RepositoryName, Digest], list[Digest]] = {}
        self._turns: Flights[tuple[RepositoryName, Digest]] = Flights()
        self._slots = asyncio.Semaphore(_BLOBS)

    async def look(self, row: Published) -> Finding:
        """Look at one tag; what cannot be seen is said to be unseen."""
        repository = self._repository(row.destination)
        try:
            found = await repository.resolve(row.tag)
            if found.digest != row.digest:
                return Finding(row, Drift.MOVED, f"it names {found.digest}, not {row.digest}")
            lacks = await self._lacks(repository, row.digest)
        except NotFound:
            return Finding(row, Drift.GONE, "the tag is not there")
        except ReplicatorError as error:
            return Finding(row, Drift.UNSEEN, str(error))
        if not lacks:
            return Finding(row)
        more = f" and {len(lacks) - 1} more" if len(lacks) > 1 else ""
        return Finding(row, Drift.BROKEN, f"{lacks[0]}{more} is missing", tuple(lacks))

    def _repository(self, name: RepositoryName) -> Repository:
        if name not in self._repositories:
            self._repositories[name] = self._open(name)
        return self._repositories[name]

    async def _lacks(self, repository: Repository, digest: Digest) -> list[Digest]:
        """Return what is missing of a manifest and of all below it; itself, if that is."""
        async with self._turns.take((repository.name, digest)):
            known = self._seen.get((repository.name, digest))
            if known is None:
                known = await self._walk(repository, digest)
                self._seen[repository.name, digest] = known
            return known

    async def _walk(self, repository: Repository, digest: Digest) -> list[Digest]:
        try:
            manifest = await repository.get_manifest(digest)
        except NotFound:
            return [digest]
        # A manifest cannot hold its own digest, so that no walk waits for itself.
        parts = await together(
            (
                *(self._lacks(repository, child.digest) for child in manifest.manifests),
                *(self._ask(repository, blob) for blob in blobs_of(manifest, False)),
            )
        )
        return list(dict.fromkeys(each for part in parts for each in part))

    async def _ask(self, repository: Repository, blob: Descriptor) -> list[Digest]:
        key = repository.name, blob.digest
        async with self._turns.take(key), self._slots:
            if key not in self._seen:
                there = await repository.has_blob(blob)
                self._seen[key] = [] if there else [blob.digest]
            return self._seen[key]


def repairs(rule: Rule, findings: Sequence[Finding]) -> list[Action]:
    """Return the copies that make a rule's tags again what they were.

    A tag that somebody else moved is left to them unless the rule says "always"; nothing is done
    about what could not be seen.
    """
    wanted = {Drift.GONE, Drift.BROKEN}
    if rule.overwrite is Overwrite.ALWAYS:
        wanted.add(Drift.MOVED)
    mine = [each for each in findings if each.row.rule == rule.name and each.drift in wanted]
    return [action for each in mine if (action := _repair(each)) is not None]


def why_left(rule: Rule, finding: Finding) -> str:
    """Say why a repair leaves a tag as it is; empty if it does not, or all is well."""
    if finding.drift is Drift.UNSEEN:
        return "left as it is, as nobody could see it"
    if finding.drift is Drift.MOVED and rule.overwrite is not Overwrite.ALWAYS:
        return f'left to whoever moved it, as overwrite is "{rule.overwrite}" and not "always"'
    return ""


def _repair(finding: Finding) -> Action | None:
    row = finding.row
    repository, _, tag = row.source.rpartition(":")
    try:
        source, source_tag = RepositoryName.parse(repository), Tag(tag)
    except InvalidReference:
        return None
    return Action(
        Decision.COPY,
        f"to repair: {finding.reason}",
        row.destination,
        row.tag,
        source,
        source_tag,
        row.source_digest,
    )
