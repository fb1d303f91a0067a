"""Mirrors: what is read before a registry itself, for content that its digest proves."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Final, Protocol, TypeAlias

import httpx

from replicator.errors import (
    ConfigError,
    ContentMismatch,
    InvalidManifest,
    InvalidReference,
    NotFound,
    RateLimited,
    RegistryError,
    ReplicatorError,
)
from replicator.events import Listener, RegistryWarned
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.oci.reference import RepositoryName, Tag
from replicator.oci.verify import Verifier
from replicator.registry.protocols import Piece, RepositoryReader
from replicator.registry.retry import Clock
from replicator.registry.settings import RegistrySettings

# So many failures without a success between them, and a mirror is left alone for so many seconds.
_MOST_FAILURES: Final = 3
_PAUSE: Final = 300.0


class MirrorClient(Protocol):
    """What a mirror is spoken to with: the client of a registry."""

    def repository(self, path: str) -> RepositoryReader: ...

    def divide_limits(self, among: int) -> None: ...

    async def aclose(self) -> None: ...


OpenMirror: TypeAlias = Callable[[RegistrySettings], MirrorClient]
ReadBlob: TypeAlias = Callable[
    [Descriptor, Verifier], AbstractAsyncContextManager[AsyncIterator[Piece]]
]


class Mirrors:
    """The mirrors of one registry, in the order in which they are asked."""

    def __init__(
        self,
        settings: RegistrySettings,
        entries: Mapping[str, RegistrySettings],
        *,
        open_mirror: OpenMirror,
        listener: Listener,
        clock: Clock,
    ) -> None:
        self._mirrors = [
            _Mirror(*_read_url(url, entries), open_mirror, listener, clock)
            for url in settings.mirrors
        ]
        self._registry = settings.name
        self._clock = clock
        self._upstream_down_until = float("-inf")

    def __bool__(self) -> bool:
        return bool(self._mirrors)

    async def find_manifest(self, path: str, digest: Digest) -> Manifest | None:
        """Fetch a manifest of the repository at *path*; None if no mirror gives it out."""
        for mirror in self._usable():
            try:
                manifest = await mirror.repository(path).get_manifest(digest)
            except (NotFound, InvalidReference):
                continue
            except (RegistryError, InvalidManifest) as error:
                mirror.failed(error)
            except ContentMismatch as error:
                mirror.distrust(error)
            else:
                mirror.worked()
                return manifest
        return None

    @property
    def resolves_tags(self) -> bool:
        """Whether one of them may say what a tag names."""
        return any(mirror.resolves_tags for mirror in self._mirrors)

    @property
    def is_upstream_down(self) -> bool:
        """Whether the registry itself could not be reached a moment ago."""
        return self._clock.monotonic() < self._upstream_down_until

    async def resolve(self, path: str, tag: Tag) -> Descriptor | None:
        """Learn what a tag names from a mirror that may say so; None if no mirror does.

        Nobody confirms it: a mirror may be days behind. So it is said, once for each mirror.
        """
        for mirror in self._usable():
            if not mirror.resolves_tags:
                continue
            try:
                found = await mirror.repository(path).resolve(tag)
            except (NotFound, InvalidReference):
                continue
            except RegistryError as error:
                mirror.failed(error)
            else:
                mirror.worked()
                mirror.was_believed(self._registry)
                return found
        return None

    def divide_limits(self, among: int) -> None:
        """Keep to one part of the limits of each, as so many processes read from them."""
        for mirror in self._mirrors:
            mirror.divide_limits(among)

    def upstream_failed(self) -> None:
        """Note that the registry itself cannot be reached, so that nobody waits for it again."""
        self._upstream_down_until = self._clock.monotonic() + _PAUSE

    @asynccontextmanager
    async def read_blob(
        self, path: str, verifier: Verifier, *, upstream: ReadBlob
    ) -> AsyncIterator[AsyncIterator[Piece]]:
        """Read the verifier's blob of the repository at *path*, at last from *upstream*.

        Where one place breaks off, the next goes on.
        """
        async with aclosing(self._pieces(path, verifier, upstream)) as pieces:
            yield pieces

    async def aclose(self) -> None:
        """Close the connections to all of them."""
        for mirror in self._mirrors:
            await mirror.aclose()

    def _usable(self) -> list[_Mirror]:
        return [mirror for mirror in self._mirrors if mirror.is_usable]

    async def _pieces(
        self, path: str, verifier: Verifier, upstream: ReadBlob
    ) -> AsyncGenerator[Piece, None]:
        givers: list[_Mirror] = []
        for mirror in self._usable():
            start = verifier.offset
            try:
                async with aclosing(mirror.pieces(path, verifier, givers)) as pieces:
                    async for piece in pieces:
                        yield piece
            except (NotFound, InvalidReference):
                continue
            except RegistryError as error:
                mirror.failed(error)
            except ContentMismatch as error:
                mirror.distrust(error)
                if mirror in givers or not _is_back(verifier, start):
                    _distrust(givers, error)
                    raise
            else:
                mirror.worked()
                return
        try:
            async with upstream(verifier.blob, verifier) as rest:
                async for piece in rest:
                    yield piece
        except ContentMismatch as error:
            _distrust(givers, error)
            raise


class _Mirror:
    """One mirror: opened when it is first needed, left alone while it does not work."""

    def __init__(
        self,
        settings: RegistrySettings,
        prefix: str,
        open_mirror: OpenMirror,
        listener: Listener,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._prefix = prefix
        self._open = open_mirror
        self._listener = listener
        self._clock = clock
        self._client: MirrorClient | None = None
        self._among = 1
        self._failures = 0
        self._paused_until = float("-inf")
        self._is_distrusted = False
        self._was_believed = False

    @property
    def resolves_tags(self) -> bool:
        return self._settings.resolve_tags

    @property
    def is_usable(self) -> bool:
        return not self._is_distrusted and self._clock.monotonic() >= self._paused_until

    def repository(self, path: str) -> RepositoryReader:
        """Open what mirrors the repository at *path*. Raises InvalidReference."""
        if self._client is None:
            self._client = self._open(self._settings)
            self._client.divide_limits(self._among)
        return self._client.repository(self._prefix + path)

    def divide_limits(self, among: int) -> None:
        self._among = among
        if self._client is not None:
            self._client.divide_limits(among)

    async def pieces(
        self, path: str, verifier: Verifier, givers: list[_Mirror]
    ) -> AsyncGenerator[Piece, None]:
        """Yield what is to come of a blob, and be one of its *givers* from the first piece on."""
        async with self.repository(path).read_blob(verifier.blob, verifier=verifier) as pieces:
            async for piece in pieces:
                if self not in givers:
                    givers.append(self)
                yield piece

    def worked(self) -> None:
        self._failures = 0

    def failed(self, error: ReplicatorError) -> None:
        """Count a failure; a limit that is reached is enough for a pause.

        That something is not there is no failure: mirrors need not have it all.
        """
        self._failures += 1
        is_enough = self._failures >= _MOST_FAILURES or isinstance(error, RateLimited)
        if is_enough and self.is_usable:
            self._paused_until = self._clock.monotonic() + _PAUSE
            self._warn(f"as a mirror it is not asked for {_PAUSE / 60:.0f} minutes: {error}")

    def distrust(self, error: ContentMismatch) -> None:
        """Ask it for nothing any more, as it gave out wrong content."""
        if not self._is_distrusted:
            self._is_distrusted = True
            self._warn(f"as a mirror it is not asked any more: {error}")

    def was_believed(self, registry: str) -> None:
        """Say that tags of *registry* are what it says."""
        if not self._was_believed:
            self._was_believed = True
            self._warn(f"{registry} cannot be reached: what its tags name is said by this mirror")

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    def _warn(self, text: str) -> None:
        self._listener(RegistryWarned(self._settings.name, text))


def _is_back(verifier: Verifier, start: int) -> bool:
    """Go back to *start*, of what nobody was given yet, and say whether that was possible."""
    return verifier.offset == start or verifier.rewind(start) == start


def _distrust(givers: list[_Mirror], error: ContentMismatch) -> None:
    """Distrust all who gave out a part of a wrong blob: nobody knows whose part was wrong."""
    for mirror in givers:
        mirror.distrust(error)


def _read_url(text: str, entries: Mapping[str, RegistrySettings]) -> tuple[RegistrySettings, str]:
    """Return how a mirror is reached, and what its paths begin with. Raises ConfigError.

    It is a registry of its own, with the login of its own host or none. Nothing is repeated or
    waited for there, as the next place is asked instead; and mirrors of mirrors are not asked.
    """
    try:
        url = httpx.URL(text)
        host = url.netloc.decode("ascii")
        prefix = url.path.strip("/")
        prefix = f"{prefix}/" if prefix else ""
        RepositoryName(host, f"{prefix}repository")
    except (httpx.InvalidURL, InvalidReference) as error:
        raise ConfigError(f"mirrors: {text!r} cannot be used: {error}") from None
    entry = entries.get(host) or RegistrySettings(host)
    is_plain = entry.plain_http
    if is_plain is None and url.scheme == "http":
        is_plain = True
    settings = replace(entry, plain_http=is_plain, retries=0, longest_wait=timedelta(0), mirrors=())
    return settings, prefix
