"""CloudKeychain: the credentials of registries that are their cloud's to give."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Final

from replicator.errors import RegistryUnavailable, ReplicatorError
from replicator.registry.cloud.loan import Lender, Loan, Refusals
from replicator.registry.cloud.waiting import in_thread
from replicator.registry.retry import Clock
from replicator.registry.settings import Cloud, Credentials

# In seconds, for all that a library does to find a login. It may ask several places in turn.
_PATIENCE: Final = 60.0
_CLOCK: Final = Clock()


class CloudKeychain:
    """Borrows credentials from the cloud that the entry of a registry names.

    The libraries look where each cloud's own tools do: in the environment, in files, at the
    metadata service of a machine. Their requests go to the endpoints that they know, not through
    our gate. What was borrowed stays in use while there is no getting more, until it ends.
    """

    def __init__(
        self,
        clouds: Mapping[str, Cloud],
        *,
        lender: Callable[[Cloud, str], Lender] | None = None,
        clock: Clock = _CLOCK,
    ) -> None:
        self._clouds = clouds
        self._make = lender or make_lender
        self._clock = clock
        self._lenders: dict[str, Lender] = {}
        self._loans: dict[str, Loan] = {}
        self._refusals: defaultdict[str, Refusals] = defaultdict(Refusals)
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def credentials_for(self, registry: str) -> Credentials | None:
        """Return what the cloud gives for *registry*, None where its entry names none.

        Raises ConfigError if it gives nothing, RegistryUnavailable if it cannot be asked now.
        """
        cloud = self._clouds.get(registry)
        if cloud is None:
            return None
        async with self._asking[registry]:
            now, refusals = self._clock.now(), self._refusals[registry]
            try:
                refusals.raise_recent(now)
                self._loans[registry] = await self._borrow(cloud, registry)
            except ReplicatorError as error:
                refusals.note(error, now)
                kept = self._loans.get(registry)
                if kept is None or kept.ends <= now:
                    raise
            return self._loans[registry].credentials

    async def _borrow(self, cloud: Cloud, registry: str) -> Loan:
        try:
            return await in_thread(lambda: self._lend(cloud, registry), seconds=_PATIENCE)
        except TimeoutError:
            raise RegistryUnavailable(
                f"{registry}: {cloud} gave no login within {_PATIENCE:.0f} s", registry=registry
            ) from None

    def _lend(self, cloud: Cloud, registry: str) -> Loan:
        """Make the lender in the thread as well: the libraries are large and load for a while."""
        if registry not in self._lenders:
            self._lenders[registry] = self._make(cloud, registry)
        return self._lenders[registry].borrow()


def make_lender(cloud: Cloud, registry: str) -> Lender:
    """Make what borrows from *cloud*. Raises ConfigError if its library is not installed."""
    match cloud:
        case Cloud.AWS:
            from replicator.registry.cloud.aws import Aws

            return Aws(registry)
        case Cloud.GCP:
            from replicator.registry.cloud.gcp import Gcp

            return Gcp(registry)
        case Cloud.AZURE:
            from replicator.registry.cloud.azure import Azure

            return Azure(registry)
