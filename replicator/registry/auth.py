"""Authenticator: what goes into ``Authorization``, and what a 401 leads to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

import httpx

from replicator.errors import NotARegistry, RegistryUnavailable
from replicator.registry.answers import MAX_ERROR_SIZE, Attempt
from replicator.registry.challenges import Challenge, parse_challenges
from replicator.registry.gate import Gate
from replicator.registry.keychain import Keychain
from replicator.registry.login import Login
from replicator.registry.retry import Clock
from replicator.registry.scopes import Scope, merge_scopes, parse_scopes
from replicator.registry.token_client import Send, TokenClient
from replicator.registry.tokens import Token, TokenService, basic_header
from replicator.registry.wire import read_answer, translated

# What a token is remembered under: the scopes it was wanted for. Those it was asked for may be
# more, when the registry's challenge says so.
_Key: TypeAlias = tuple[TokenService, int, tuple[Scope, ...]]

# A registry of thousands of repositories needs a token for each, but not all at once.
_MOST_TOKENS: Final = 512


class Authenticator:
    """Authenticates the requests of one registry entry, with one set of credentials.

    Which scheme the registry wants is learned from its challenges. A realm for Bearer tokens is
    never given up for Basic: Harbor answers an expired token with a Basic challenge, and with
    Basic it is a dozen times slower. Tokens are kept in memory alone.

    *send* sends a request once, without following redirects or repeating it for its status, and
    without waiting for a place that is held by who waits for the token.
    """

    def __init__(self, gate: Gate, keychain: Keychain, send: Send, *, clock: Clock) -> None:
        self._gate = gate
        self._send = send
        self._clock = clock
        self._login = Login(gate.registry, keychain, clock)
        self._client = TokenClient(gate, self._login, send, clock=clock)
        self._service: TokenService | None = None
        self._basic = False
        self._believed = 0  # the version of the login that was seen to be good
        self._tokens: dict[_Key, Token] = {}

    async def authorization(self, scopes: tuple[Scope, ...]) -> str | None:
        """Return the header for a request that needs *scopes*, or None for an anonymous one.

        A token that has little of its life left is renewed first. Ask for no more than the
        request needs: Quay makes a repository for whoever asks to push, and refuses a request
        for a token to delete. Raises what ``TokenClient.fetch`` raises.
        """
        if self._service is not None:
            return (await self._token(self._service, scopes)).header
        if self._basic and (credentials := await self._login.credentials()) is not None:
            return basic_header(credentials)
        return None

    async def challenged(
        self, url: httpx.URL, headers: httpx.Headers, scopes: tuple[Scope, ...], used: str | None
    ) -> bool:
        """Learn from the 401 with *headers* that *url* answered to the authorization *used*.

        True: repeat the request, once, with ``authorization(scopes)``. False: there is nothing
        to be done. Raises Unauthorized if the credentials are refused, or are needed and not
        there, and what ``TokenClient.fetch`` raises. Where a redirect led has no say.
        """
        if not self._gate.may_carry_credentials(url):
            return False
        challenges = parse_challenges(headers.get_list("www-authenticate"))
        bearer = _bearer(challenges)
        self._learn(url, challenges, bearer)
        if self._service is not None:
            named = parse_scopes(bearer.get("scope")) if bearer else ()
            renewed = await self._renew(self._service, scopes, named, used)
            return renewed or (bearer is None and await self._doubt())
        return self._basic and await self._offer_basic(used)

    async def denied(self, scopes: tuple[Scope, ...], used: str | None) -> bool:
        """Say whether a 403 is worth one repetition: when it was for an old token.

        The rights may have been given after it was made.
        """
        if self._service is None or used is None:
            return False
        token = self._tokens.get(self._key(self._service, scopes))
        if token is None or token.header != used:
            return token is not None
        if token.is_young(self._clock.monotonic()):
            return False
        await self._fetch(self._service, scopes, token.scopes)
        return True

    async def check_login(self) -> None:
        """Make sure that the registry takes the credentials, or takes somebody without any.

        Harbor gives an anonymous token for a wrong password, so it is not the token service that
        is believed but the registry, which is asked with what came from it. Raises Unauthorized,
        NotARegistry, RegistryUnavailable, and what ``TokenClient.fetch`` raises.
        """
        credentials = await self._login.credentials()
        used = None if credentials is None else basic_header(credentials)
        answer = await self._ping(used)
        if answer.status_code == 401 and await self.challenged(
            answer.url, answer.headers, (), used
        ):
            answer = await self._ping(await self.authorization(()))
        if answer.status_code == 401:
            raise self._login.refusal()
        if answer.status_code != 200:
            kind = RegistryUnavailable if answer.status_code >= 500 else NotARegistry
            raise kind(
                f"{self._gate.registry}: {answer.url} answered {answer.status_code}",
                status=answer.status_code,
                registry=self._gate.registry,
            )

    def _learn(
        self, url: httpx.URL, challenges: tuple[Challenge, ...], bearer: Challenge | None
    ) -> None:
        """Remember what the registry asks for; without a usable challenge, what it asked last."""
        if bearer is not None:
            realm = self._gate.read_url(url, bearer.get("realm"))
            self._service = TokenService(realm, bearer.get("service"))
        elif any(challenge.scheme == "basic" for challenge in challenges):
            self._basic = True

    async def _renew(
        self,
        service: TokenService,
        scopes: tuple[Scope, ...],
        named: tuple[Scope, ...],
        used: str | None,
    ) -> bool:
        """Get a token instead of *used*; for more scopes, if the challenge *named* others."""
        token = self._tokens.get(self._key(service, scopes))
        if token is None:
            await self._fetch(service, scopes, merge_scopes((*scopes, *named)))
            return True
        wanted = merge_scopes((*token.scopes, *named))
        if wanted == token.scopes and token.header != used:
            return True  # somebody else has renewed it meanwhile
        if wanted == token.scopes and token.is_young(self._clock.monotonic()):
            return False  # another one would be refused as well
        await self._fetch(service, scopes, wanted)
        return True

    async def _doubt(self) -> bool:
        """See, once, whether the password is wrong: Harbor gives an anonymous token for it.

        When that token is refused, it challenges for Basic, and that it checks. True if there
        are other credentials by now. Raises Unauthorized if the credentials are refused.
        """
        credentials = await self._login.credentials()
        if not self._basic or credentials is None or self._login.version == self._believed:
            return False
        offer = await self._offer_basic(basic_header(credentials))
        self._believed = self._login.version
        return offer

    async def _offer_basic(self, used: str | None) -> bool:
        """Say whether Basic is still to be tried. Raises Unauthorized if it was, or cannot be."""
        credentials = await self._login.credentials()
        if credentials is None:
            raise self._login.refusal()
        header = basic_header(credentials)
        if used != header:
            return True
        # The login may be good, and only this part of the registry closed to it.
        if (await self._ping(header)).status_code != 401:
            return False
        await self._login.refuse(credentials)
        return True

    async def _token(self, service: TokenService, scopes: tuple[Scope, ...]) -> Token:
        """Return a token for *scopes*, from memory if it has enough of its life left."""
        await self._login.credentials()
        token = self._tokens.get(self._key(service, scopes))
        now = self._clock.monotonic()
        if token is None:
            return await self._fetch(service, scopes, merge_scopes(scopes))
        if not token.is_due(now):
            return token
        try:
            return await self._fetch(service, scopes, token.scopes)
        except RegistryUnavailable:
            # The token service has a bad moment; the old token may last until it is over.
            if token.is_alive(self._clock.monotonic()):
                return token
            raise

    async def _fetch(
        self, service: TokenService, scopes: tuple[Scope, ...], wanted: tuple[Scope, ...]
    ) -> Token:
        """Get a token for the scopes *wanted*, and remember it as the one for *scopes*."""
        token = await self._client.fetch(service, wanted)
        key = self._key(service, scopes)
        self._tokens.pop(key, None)
        self._forget(key[:2])
        self._tokens[key] = token
        return token

    def _forget(self, current: tuple[TokenService, int]) -> None:
        """Forget tokens of other credentials or services, and the oldest ones beyond the limit."""
        for key in [key for key in self._tokens if key[:2] != current]:
            del self._tokens[key]
        while len(self._tokens) >= _MOST_TOKENS:
            del self._tokens[next(iter(self._tokens))]

    def _key(self, service: TokenService, scopes: tuple[Scope, ...]) -> _Key:
        return service, self._login.version, tuple(sorted(scopes))

    async def _ping(self, authorization: str | None) -> httpx.Response:
        """Ask for ``/v2/``, once; of the answer only the head is of interest."""
        registry, url = self._gate.registry, httpx.URL(f"{self._gate.origin}/v2/")
        headers = {"Authorization": authorization} if authorization else {}
        request = httpx.Request("GET", url, headers=headers)
        request.extensions["allow_address"] = self._gate.address_guard(url)
        with translated(Attempt(registry, registry, "ping")):
            response = await self._send(request)
            await read_answer(response, MAX_ERROR_SIZE)
        return response


def _bearer(challenges: Iterable[Challenge]) -> Challenge | None:
    """Return the challenge that says where tokens come from."""
    usable = (each for each in challenges if each.scheme == "bearer" and each.get("realm"))
    return next(usable, None)
