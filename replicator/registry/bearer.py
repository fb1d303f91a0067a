"""Bearer: the tokens of one registry entry, in memory, each renewed when it has to be."""

from __future__ import annotations

from typing import Final, TypeAlias

from replicator.errors import RegistryUnavailable
from replicator.registry.login import Login
from replicator.registry.retry import Clock
from replicator.registry.scopes import Scope, add_scopes, merge_scopes
from replicator.registry.token_client import TokenClient
from replicator.registry.tokens import Token, TokenService

# What a token is remembered under: the version of the login, and the scopes it was wanted for.
# Those it was asked for may be more, when the registry's challenge says so.
_Key: TypeAlias = tuple[int, tuple[Scope, ...]]

# A registry of thousands of repositories needs a token for each, but not all at once.
_MOST_TOKENS: Final = 512


class Bearer:
    """Keeps a token for each set of scopes, never more than one repository's in one.

    A header with the rights to many repositories grows until a proxy refuses it. *service* is
    the token service that the registry named last; a token is renewed by the one it came from.
    """

    def __init__(
        self, service: TokenService, login: Login, client: TokenClient, clock: Clock
    ) -> None:
        self.service = service
        self._login = login
        self._client = client
        self._clock = clock
        self._tokens: dict[_Key, Token] = {}

    async def token(self, scopes: tuple[Scope, ...]) -> Token:
        """Return a token for *scopes*, from memory if it has enough of its life left."""
        await self._login.credentials()
        token = self._tokens.get(self._key(scopes))
        if token is None:
            return await self._fetch(self.service, scopes, merge_scopes(scopes))
        if not token.is_due(self._clock.monotonic()):
            return token
        try:
            return await self._fetch(token.service, scopes, token.scopes)
        except RegistryUnavailable:
            # The token service has a bad moment; the old token may last until it is over.
            if token.is_alive(self._clock.monotonic()):
                return token
            raise

    async def renew(
        self, scopes: tuple[Scope, ...], used: str | None, *, named: tuple[Scope, ...]
    ) -> bool:
        """Get another token for *scopes* after a 401 to *used*, and for those the answer *named*.

        False if another one would be refused as well: *used* is fresh, and was asked for all
        that is needed.
        """
        token = self._tokens.get(self._key(scopes))
        if token is None or token.service != self.service:
            await self._fetch(self.service, scopes, add_scopes(scopes, named))
            return True
        wanted = add_scopes(token.scopes, named)
        if wanted == token.scopes and token.header != used:
            return True  # somebody else has renewed it meanwhile
        if wanted == token.scopes and token.is_young(self._clock.monotonic()):
            return False
        await self._fetch(token.service, scopes, wanted)
        return True

    async def renew_old(self, scopes: tuple[Scope, ...], used: str) -> bool:
        """Get another token for *scopes* if *used* is old: rights may have been given since."""
        token = self._tokens.get(self._key(scopes))
        if token is None or token.header != used:
            return token is not None
        if token.is_young(self._clock.monotonic()):
            return False
        await self._fetch(token.service, scopes, token.scopes)
        return True

    def forget(self) -> None:
        """Forget all tokens."""
        self._tokens.clear()

    async def _fetch(
        self, service: TokenService, scopes: tuple[Scope, ...], wanted: tuple[Scope, ...]
    ) -> Token:
        """Get a token for the scopes *wanted*, and remember it as the one for *scopes*."""
        token = await self._client.fetch(service, wanted)
        key = self._key(scopes)
        self._tokens.pop(key, None)
        self._make_room()
        self._tokens[key] = token
        return token

    def _make_room(self) -> None:
        """Forget the tokens of other credentials, and the oldest ones if there are too many."""
        for key in [key for key in self._tokens if key[0] != self._login.version]:
            del self._tokens[key]
        while len(self._tokens) >= _MOST_TOKENS:
            del self._tokens[next(iter(self._tokens))]

    def _key(self, scopes: tuple[Scope, ...]) -> _Key:
        return self._login.version, tuple(sorted(scopes))
