"""What a run needs from the store, from registries and from the transfer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from replicator.events import Listener
from replicator.oci.descriptor import Descriptor
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.observation import Published
from replicator.planning.rule import Rule
from replicator.registry.protocols import RepositoryReader, RepositoryWriter
from replicator.registry.settings import RegistrySettings
from replicator.store.records import (
    ActionRecord,
    NoteChanges,
    RuleNotes,
    RunRecord,
    RunState,
    Totals,
)
from replicator.transfer.order import Order, Result, Tally


class Repository(RepositoryReader, RepositoryWriter, Protocol):
    """A repository that may be on either side."""

    @property
    def name(self) -> RepositoryName: ...

    @property
    def deletes_tags(self) -> bool:
        """Whether a tag can be deleted here without what it names and its other tags."""
        ...

    async def delete_tag(self, tag: Tag) -> None:
        """Delete *tag* and nothing else. Raises NotFound, Rejected."""
        ...


class Registry(Protocol):
    """One registry."""

    def repository(self, path: str) -> Repository: ...

    def list_repositories(self, under: str) -> AsyncIterator[tuple[str, ...]]:
        """List the paths of the registry's repositories that begin with *under*, page by page."""
        ...

    def divide_limits(self, among: int) -> None:
        """Keep to one part of the limits, as so many processes share the registry."""
        ...

    async def aclose(self) -> None: ...


class OpenRegistry(Protocol):
    """Makes the client for a registry; sends nothing yet."""

    def __call__(self, settings: RegistrySettings, /, *, listener: Listener) -> Registry: ...


class Ledger(Protocol):
    """Remembers what was published."""

    async def published_tags(
        self, wanted: Mapping[RepositoryName, Collection[Tag]]
    ) -> Mapping[tuple[RepositoryName, Tag], Published]:
        """Return the rows of the *wanted* tags, as far as there are any."""
        ...

    async def published(self, destination: RepositoryName) -> Mapping[Tag, Published]:
        """Return all rows of one repository."""
        ...

    async def forget_places(self, repositories: Collection[RepositoryName]) -> None:
        """Forget which blobs *repositories* hold."""
        ...

    async def remove_published(self, destination: RepositoryName, tags: Collection[Tag]) -> None:
        """Forget that *tags* were published, as they were removed."""
        ...

    async def record(
        self,
        rows: Sequence[Published],
        blobs: Collection[tuple[RepositoryName, Descriptor]],
        *,
        at: datetime,
    ) -> None: ...


class Actions(Protocol):
    """Remembers what was decided and done."""

    async def save(self, run_id: str, actions: Sequence[ActionRecord], /) -> None: ...


class Runs(Actions, Protocol):
    """Remembers runs and their actions."""

    async def start(self, rule: Rule, trigger: str, now: datetime) -> RunRecord:
        """Begin a run. Raises RunActive."""
        ...

    async def renew(
        self, now: datetime, runs: Collection[str], moved: Mapping[str, Tally], /
    ) -> None: ...

    async def taken(self, runs: Collection[str], /) -> frozenset[str]:
        """Return which of *runs* of this process are another's by now, or wait for one."""
        ...

    async def to_cancel(self) -> frozenset[str]:
        """Return the runs of this process that somebody wants to end."""
        ...

    async def finish(
        self, run_id: str, state: RunState, totals: Totals, now: datetime, *, error: str = ""
    ) -> None: ...


class Notes(Protocol):
    """Remembers tags that are not simply in step."""

    async def of_rule(self, rule: str) -> RuleNotes: ...

    async def change(self, rule: str, changes: NoteChanges) -> None: ...


class Copier(Protocol):
    """Carries out orders."""

    async def copy(self, order: Order) -> tuple[Result, ...]: ...
