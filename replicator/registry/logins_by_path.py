"""Several logins at one registry: each is for what is below a path of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import httpx

from replicator.registry.auth import Authenticator
from replicator.registry.scopes import Scope


def login_for(path: str, prefixes: Iterable[str]) -> str:
    """Return the longest of *prefixes* that *path* is below, nothing for the registry's own."""
    below = (each for each in prefixes if path == each or path.startswith(f"{each}/"))
    return max(below, key=len, default="")


class LoginsByPath:
    """Authenticates each request with the login for its repository; see Authenticator.

    Each login has tokens of its own. A request that is about two repositories, a mount, is made
    with the login of the one that is written to.
    """

    def __init__(self, make: Callable[[str], Authenticator], prefixes: tuple[str, ...]) -> None:
        self._own = make("")
        self._others = {prefix: make(prefix) for prefix in prefixes}

    async def authorization(self, scopes: tuple[Scope, ...]) -> str | None:
        return await self._of(scopes).authorization(scopes)

    async def challenged(
        self, url: httpx.URL, headers: httpx.Headers, scopes: tuple[Scope, ...], used: str | None
    ) -> bool:
        return await self._of(scopes).challenged(url, headers, scopes, used)

    async def denied(self, scopes: tuple[Scope, ...], used: str | None) -> bool:
        return await self._of(scopes).denied(scopes, used)

    async def introduce(self) -> None:
        """Learn how to log in, for what is of the registry as a whole."""
        await self._own.introduce()

    def forget_tokens(self) -> None:
        """Get new tokens from now on, whosever they are."""
        for each in (self._own, *self._others.values()):
            each.forget_tokens()

    async def check_login(self) -> None:
        """Make sure that the registry takes all logins. Raises what Authenticator raises."""
        for each in (self._own, *self._others.values()):
            await each.check_login()

    def _of(self, scopes: tuple[Scope, ...]) -> Authenticator:
        path = scopes[0].name if scopes and scopes[0].type == "repository" else ""
        return self._others.get(login_for(path, self._others), self._own)
