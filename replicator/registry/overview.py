"""Overview: what a registry holds, by its vendor's own listing or by the one that all have."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing, suppress
from math import ceil
from typing import Any, Final, TypeVar

from replicator.errors import InvalidDigest, InvalidReference, RegistryError, Unauthorized
from replicator.events import RequestKind
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.registry.calls import Call
from replicator.registry.pagination import MAX_NAMES
from replicator.registry.profile import GENERIC
from replicator.registry.protocols import ListedTag, NeededDigests
from replicator.registry.sending import Sender
from replicator.registry.tags import Tags
from replicator.registry.vendors.choice import Vendors
from replicator.registry.vendors.vendor import Partial, Row, Vendor

T = TypeVar("T")

# In seconds. A vendor's API that refused us is not asked again for so long: rights and robots
# change, but not within a run. One that says that it is out of order may be well again sooner.
_REFUSED_FOR: Final = 3600.0
_DOWN_FOR: Final = 300.0
# Pages of a vendor's listing that are read before anybody asks whether names would be cheaper:
# those are a page or two in all, so that the question costs little in comparison.
_PAGES_BEFORE_NAMES: Final = 3
# Of how many tags one at most is wanted, for the names to be worth that question.
_CHOOSY: Final = 10
# As many as Quay puts on a page.
_CUT_DOWN: Final = 100
# Pages in a row without anything new. Where the newest come first, a page may repeat the one
# before it, as things are pushed meanwhile.
_MOST_REPEATED: Final = 3


class Overview:
    """Lists the tags and repositories of one registry.

    A vendor's listing that is refused at its beginning is given up for the registry's own, and
    remembered for the namespace, as rights are given by namespace. One that breaks off later is
    an error: what came before it is right, and not all there is.
    """

    def __init__(self, sender: Sender, vendors: Vendors) -> None:
        self._sender = sender
        self._vendors = vendors
        self._refused: dict[str, float] = {}
        self._was_pinged = False

    async def tags(
        self, plain: Tags, needed: NeededDigests | None = None
    ) -> AsyncGenerator[tuple[ListedTag, ...], None]:
        """List the tags of a repository, each once; *plain* lists them without digests.

        *needed* says of how many tags a digest is wanted, where it is not of all.
        """
        path = plain.name.path
        vendor, refusal, has_begun = self._vendor(path), None, False
        if vendor is None:
            try:
                async with aclosing(plain.list(lambda: self._gives_way(path))) as pages:
                    async for page in pages:
                        # The first answer may tell what the registry is, and so of a better way.
                        if not has_begun and (vendor := await self._told(path, page)) is not None:
                            break
                        has_begun = True
                        yield tuple(map(ListedTag, page))
                    else:
                        return
            except Unauthorized:
                if has_begun or (vendor := self._vendor(path)) is None:
                    raise
        async with aclosing(self._listed(vendor, plain)) as listing:
            try:
                first = await _first(listing)
            except RegistryError as error:
                first, refusal = (), error
            if first:
                yield first
                async for listed in self._cheapest(first, listing, plain, needed):
                    yield listed
                return
        async for page in plain.list():
            if refusal is not None:
                self._remember(path, refusal)
            yield tuple(map(ListedTag, page))

    async def repositories(
        self, under: str, plain: AsyncGenerator[tuple[str, ...], None]
    ) -> AsyncGenerator[tuple[str, ...], None]:
        """List the paths of repositories that begin with *under*; *plain* is the catalogue.

        Raises what the vendor's API says if the catalogue has nothing there either.
        """
        vendor, refusal = self._vendor(under), None
        if vendor is not None:
            async with aclosing(self._paths(under, vendor.repositories(under))) as listing:
                try:
                    first = await _first(listing)
                except RegistryError as error:
                    first, refusal = (), error
                if first:
                    seen = set(first)
                    yield first
                    async for page in listing:
                        seen.update(page)
                        yield page
                    async for page in self._hidden(vendor, under, plain, seen):
                        yield page
                    return
        found = False
        try:
            async with aclosing(self._paths(under, plain)) as listing:
                async for page in listing:
                    found = True
                    yield page
        except RegistryError as error:
            raise refusal or error from None
        if refusal is not None and not found:
            raise refusal

    async def _hidden(
        self,
        vendor: Vendor,
        under: str,
        plain: AsyncGenerator[tuple[str, ...], None],
        seen: Collection[str],
    ) -> AsyncGenerator[tuple[str, ...], None]:
        """Yield what the catalogue shows to our login and the vendor's API may not."""
        if not (isinstance(vendor, Partial) and await vendor.may_hide()):
            return
        async with aclosing(self._paths(under, plain)) as listing:
            async for page in listing:
                if new := tuple(path for path in page if path not in seen):
                    yield new

    async def recognise(self) -> None:
        """Find out, with one request at most, what kind of registry this is."""
        if self._sender.knowledge.profile.kind != GENERIC or self._was_pinged:
            return
        self._was_pinged = True
        registry = self._sender.registry
        call = Call(RequestKind.PING, "GET", "", registry, "GET /v2/", gives_way=lambda: True)
        with suppress(RegistryError):
            await self._sender.send(call)

    def _gives_way(self, path: str) -> bool:
        """Say whether a challenge has told of an API that is asked instead, without a token."""
        return self._sender.knowledge.profile.api_logs_in and self._vendor(path) is not None

    async def _told(self, path: str, page: tuple[Tag, ...]) -> Vendor | None:
        """Return the vendor that the first page of names tells.

        Quay lets everybody read what is public, and so shows no challenge, but cuts pages down:
        then a ping is little compared with asking for the tags one by one.
        """
        if len(page) == _CUT_DOWN:
            await self.recognise()
        return self._vendor(path)

    async def _cheapest(
        self,
        first: tuple[ListedTag, ...],
        listing: AsyncGenerator[tuple[ListedTag, ...], None],
        plain: Tags,
        needed: NeededDigests | None,
    ) -> AsyncGenerator[tuple[ListedTag, ...], None]:
        """Go on with a vendor's *listing* as long as that is cheaper than names and HEADs.

        How much of it is left is not known, so a few pages are read before the names are; and
        they are not where the rule wants more than a few of what came by then.
        """
        seen, number, largest = {each.tag for each in first}, 1, len(first)
        async for listed in listing:
            yield listed
            seen.update(each.tag for each in listed)
            number, largest = number + 1, max(largest, len(listed))
            has_more = len(listed) == largest
            if needed is None or number != _PAGES_BEFORE_NAMES or not has_more:
                continue
            is_choosy = needed(tuple(seen)) * _CHOOSY < len(seen)
            if is_choosy and self._sender.knowledge.profile.page_size > largest:
                left = await self._left(plain, seen)
                if left is not None and needed(left) < ceil(len(left) / largest):
                    yield tuple(map(ListedTag, left))
                    return

    async def _left(self, plain: Tags, seen: Collection[Tag]) -> tuple[Tag, ...] | None:
        """Return the names of all tags that were not *seen*; None if they cannot be listed."""
        try:
            names = [tag async for page in plain.list() for tag in page]
        except RegistryError:
            return None
        return tuple(tag for tag in names if tag not in seen)

    def _vendor(self, path: str) -> Vendor | None:
        """Return the vendor's API, unless it refused us lately."""
        if self._sender.clock.monotonic() < self._refused.get(_namespace(path), 0.0):
            return None
        return self._vendors.of(self._sender.knowledge.profile, path)

    def _remember(self, path: str, error: RegistryError) -> None:
        """Do without the vendor's API, and say so once."""
        is_down = error.retryable and error.status is not None
        pause = _DOWN_FOR if is_down else _REFUSED_FOR
        self._refused[_namespace(path)] = self._sender.clock.monotonic() + pause
        self._sender.wire.warn(f"tags of {_namespace(path)}/ are asked for one by one: {error}")

    async def _listed(
        self, vendor: Vendor, plain: Tags
    ) -> AsyncGenerator[tuple[ListedTag, ...], None]:
        """Yield what is new and right of the vendor's pages."""
        seen: set[Tag] = set()
        dropped = repeated = 0
        async with aclosing(vendor.tags(plain)) as pages:
            async for rows in pages:
                listed = [each for each in map(_listed_tag, rows) if each is not None]
                dropped += len(rows) - len(listed)
                new = {each.tag: each for each in listed if each.tag not in seen}
                seen.update(new)
                repeated = repeated + 1 if listed and not new else 0
                if len(seen) > MAX_NAMES or repeated > _MOST_REPEATED:
                    raise RegistryError(
                        f"{plain.name}: a listing without end; it is not complete",
                        registry=self._sender.registry,
                    )
                if new:
                    yield tuple(new.values())
        if seen and vendor.shows_all_tags:
            plain.note_all(seen)
        if dropped:
            self._sender.wire.warn(f"{plain.name}: {dropped} of what it lists are no tags")

    async def _paths(
        self, under: str, pages: AsyncGenerator[Sequence[Any], None]
    ) -> AsyncGenerator[tuple[str, ...], None]:
        """Yield what is new and right of the pages of a listing of repositories."""
        seen: set[str] = set()
        async with aclosing(pages):
            async for page in pages:
                paths = dict.fromkeys(filter(None, map(self._path, page)))
                new = tuple(path for path in paths if path.startswith(under) and path not in seen)
                seen.update(new)
                if new:
                    yield new

    def _path(self, name: Any) -> str:
        """Return the path that a listing names; nothing for what is none."""
        try:
            return RepositoryName(self._sender.registry, name).path if name else ""
        except (InvalidReference, TypeError):
            return ""


async def _first(pages: AsyncGenerator[tuple[T, ...], None]) -> tuple[T, ...]:
    """Return the first page, nothing if there is none."""
    async for page in pages:
        return page
    return ()


def _listed_tag(row: Row) -> ListedTag | None:
    """Return a tag with what can be believed of it; None for what is no tag."""
    if not isinstance(row.name, str):
        return None
    try:
        tag = Tag(row.name)
    except InvalidReference:
        return None
    return ListedTag(tag, _digest(row.digest), row.created)


def _digest(text: Any) -> Digest | None:
    try:
        return Digest.parse(text) if isinstance(text, str) else None
    except InvalidDigest:
        return None


def _namespace(path: str) -> str:
    return path.partition("/")[0]
