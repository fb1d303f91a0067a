"""RegistryViews: the registries that are known, and whether they answer."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from replicator.errors import RegistryNotFound
from replicator.registry.plain_http import shown_endpoint
from replicator.registry.probe import Finding
from replicator.registry.profile import profile_for
from replicator.registry.settings import RegistrySettings
from replicator.service.access.identity import Identity
from replicator.service.views.paging import Page, page_by_name
from replicator.values import dataclass

_USER: Final = re.compile(r"(?<=://)[^/@]*@")


@dataclass(frozen=True, slots=True)
class KnownRegistry:
    """A registry as it is reached; ``login`` says whose credentials are used, never what they are.

    ``origin`` is ``file`` or ``api``: who wants to change it has to do it there.
    """

    settings: RegistrySettings
    login: str
    origin: str

    @property
    def kind(self) -> str:
        return profile_for(self.settings.name, self.settings.kind).kind

    @property
    def endpoint(self) -> str:
        return shown_endpoint(self.settings)

    def details(self) -> Mapping[str, Any]:
        """Return all settings in what JSON has; a proxy's password is left out."""
        details: dict[str, Any] = msgspec.to_builtins(self.settings, enc_hook=str)
        return {**details, "proxy": _USER.sub("", self.settings.proxy)}


class RegistryViews:
    """Shows registries by name to those who see everything; to others there are none."""

    def __init__(
        self,
        known: Callable[[], Awaitable[Mapping[str, KnownRegistry]]],
        check: Callable[[str, str | None], Awaitable[Sequence[Finding]]],
    ) -> None:
        self._known = known
        self._check = check

    async def all(self, who: Identity) -> Mapping[str, KnownRegistry]:
        """Return all registries by name."""
        return await self._known() if who.sees_all else {}

    async def page(self, who: Identity, *, cursor: str | None, limit: int) -> Page[KnownRegistry]:
        known = await self.all(who)
        found = [known[name] for name in sorted(known)]
        return page_by_name(found, cursor, limit, lambda each: each.settings.name)

    async def one(self, who: Identity, name: str) -> KnownRegistry:
        """Return a registry. Raises RegistryNotFound."""
        known = await self.all(who)
        if name not in known:
            raise RegistryNotFound(f"there is no registry {name!r}")
        return known[name]

    async def check(self, who: Identity, name: str, repository: str | None) -> Sequence[Finding]:
        """Find out whether a registry answers, and what it is like. Raises RegistryNotFound."""
        await self.one(who, name)
        return await self._check(name, repository)
