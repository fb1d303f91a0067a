"""OldUploads: has registries forget uploads that nobody goes on with any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol

from replicator.errors import ReplicatorError
from replicator.oci.descriptor import Descriptor
from replicator.oci.reference import RepositoryName
from replicator.service.outside.registries import Registries

# Seconds between two looks.
_EVERY: Final = 3600.0


class OldUpload(Protocol):
    """An upload that nobody went on with."""

    @property
    def repository(self) -> RepositoryName: ...

    @property
    def blob(self) -> Descriptor: ...

    @property
    def location(self) -> str: ...


class Unfinished(Protocol):
    """Remembers the sessions that are open at registries."""

    async def take_old(self) -> Sequence[OldUpload]:
        """Forget the uploads that nobody goes on with any more, and return them."""
        ...


class OldUploads:
    """Cancels what is forgotten. Where that fails, the registry does so by itself some day."""

    def __init__(
        self,
        unfinished: Unfinished,
        registries: Registries,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._unfinished = unfinished
        self._registries = registries
        self._sleep = sleep

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await self.cancel()
            await self._sleep(_EVERY)

    async def cancel(self) -> None:
        for old in await self._unfinished.take_old():
            with suppress(ReplicatorError):
                writer = self._registries.repository(old.repository)
                await (await writer.continue_upload(old.blob, old.location)).cancel()
