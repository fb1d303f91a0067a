"""Vendor: what the registry layer needs of a vendor's own API."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeAlias, runtime_checkable

from replicator.registry.tags import Tags
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A tag in the vendor's words, which nobody has checked yet.

    *digest* is what the tag itself names. A vendor that may give the digest of an image inside
    an index gives none here. *created* is from the image's config.
    """

    name: Any
    digest: Any = None
    created: datetime | None = None


Rows: TypeAlias = AsyncGenerator[Sequence[Row], None]
Paths: TypeAlias = AsyncGenerator[Sequence[Any], None]


class Vendor(Protocol):
    """Lists in bulk. An error in the middle of a listing means that it is not complete."""

    @property
    def shows_all_tags(self) -> bool:
        """Whether ``tags`` shows what ``tags/list`` does, the tags of signatures included."""
        ...

    def tags(self, tags: Tags) -> Rows:
        """List the tags of a repository; *tags* is the registry's own list of them.

        A listing without any row says nothing: then the registry is asked itself.
        """
        ...

    def repositories(self, under: str) -> Paths:
        """List the paths of repositories that begin with *under*, and perhaps others.

        Raises RegistryError where an empty listing might mean that we may not see anything.
        """
        ...


@runtime_checkable
class Creator(Protocol):
    """Makes what has to be there before a repository can be written to."""

    async def create(self, path: str) -> bool:
        """Make what *path* lacks, not open to everybody; False if there is nothing to be made.

        Raises RegistryError.
        """
        ...


@runtime_checkable
class TagRemover(Protocol):
    """Deletes tags where the registry itself deletes manifests alone, with all their tags."""

    async def delete_tag(self, path: str, tag: str) -> None:
        """Delete a tag of the repository at *path*, and nothing else. Raises RegistryError."""
        ...


@runtime_checkable
class Partial(Protocol):
    """Lists repositories with another login than the registry's, and so perhaps not all of ours."""

    async def may_hide(self) -> bool:
        """Say whether the catalogue may show more repositories."""
        ...


@runtime_checkable
class ProxyTeller(Protocol):
    """Tells where a registry is a pull-through proxy of another one."""

    async def is_proxy(self, path: str) -> bool | None:
        """Say whether the repository at *path* is a proxy's; None if nobody tells us."""
        ...


async def nothing() -> AsyncGenerator[Sequence[Any], None]:
    """List nothing, so that the registry is asked itself: the vendor's API does not know better."""
    pages: Sequence[Sequence[Any]] = ()
    for page in pages:
        yield page
