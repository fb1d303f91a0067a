"""Authenticator: what goes into ``Authorization``, and what a 401 leads to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from replicator.errors import NotARegistry, RegistryUnavailable
from replicator.registry.answers import Answer, Attempt
from replicator.registry.bearer import Bearer
from replicator.registry.exchange import Send, exchange
from replicator.registry.gate import Gate
from replicator.registry.keychain import Keychain
from replicator.registry.login import Login
from replicator.registry.retry import Clock
from replicator.registry.scopes import Scope, parse_scopes
from replicator.registry.token_client import TokenClient
from replicator.registry.tokens import TokenService, basic_header

if TYPE_CHECKING:
    from replicator.registry.challenges import Challenge


class Authenticator:
    """Authenticates the requests of one registry entry, with one set of credentials.

    Which scheme the registry wants is learned from its challenges. Bearer is never given up for
    Basic: Harbor answers an expired token with a Basic challenge, and with Basic it is a dozen
    times slower.
    """

    def __init__(
        self, gate: Gate, keychain: Keychain, send: Send, *, clock: Clock, login: str = ""
    ) -> None:
        """Use the credentials that *keychain* has for *login*, if not for the registry itself."""
        self._gate = gate
        self._send = send
        self._clock = clock
        self._login = Login(login or gate.registry, keychain, clock)
        self._client = TokenClient(gate, self._login, send, clock=clock)
        self._bearer: Bearer | None = None
        self._basic = False
        self._believed = 0  # the version of the login that was seen to be good

    async def authorization(self, scopes: tuple[Scope, ...]) -> str | None:
        """Return the header for a request that needs *scopes*, or None for an anonymous one.

        A token that has little of its life left is renewed first. Ask for no more than the
        request needs: Quay makes a repository for whoever asks to push, and refuses a request
        for a token to delete. Raises what ``TokenClient.fetch`` raises.
        """
        if self._bearer is not None:
            return (await self._bearer.token(scopes)).header
        if self._basic and (credentials := await self._login.credentials()) is not None:
            return basic_header(credentials)
        return None

    async def challenged(
        self, url: httpx.URL, headers: httpx.Headers, scopes: tuple[Scope, ...], used: str | None
    ) -> bool:
        """Learn from the 401 with *headers* that *url* answered to the authorization *used*.

        True: repeat the request with ``authorization(scopes)``, and come back with a 401 to
        that, which says whose fault it is; two repetitions are always enough. False: there is
        nothing to be done. Raises Unauthorized if the credentials are refused, or are needed and
        not there, and what ``TokenClient.fetch`` raises. Where a redirect led has no say.
        """
        if not self._gate.may_carry_credentials(url):
            return False
        from replicator.registry.challenges import parse_challenges

        challenges = parse_challenges(headers.get_list("www-authenticate"))
        if not challenges and self._bearer is None and not self._basic:
            # gcr.io was seen to say at the ping alone where its tokens are.
            ping = httpx.Headers((await self._ping(None)).headers)
            challenges = parse_challenges(ping.get_list("www-authenticate"))
        tokens = next((each for each in challenges if _says_where_tokens_are(each)), None)
        if tokens is not None:
            self._learn_service(url, tokens)
        elif any(each.scheme == "basic" for each in challenges):
            self._basic = True
        # Without a challenge that can be used, the registry wants what it wanted last.
        if self._bearer is None:
            return self._basic and await self._offer_basic(used)
        named = parse_scopes(tokens.get("scope")) if tokens else ()
        if await self._bearer.renew(scopes, used, named=named):
            return True
        return tokens is None and await self._doubt()

    async def denied(self, scopes: tuple[Scope, ...], used: str | None) -> bool:
        """Say whether a 403 to the authorization *used* is worth one repetition.

        It is when it was for an old token. Raises what ``TokenClient.fetch`` raises.
        """
        if self._bearer is None or used is None:
            return False
        return await self._bearer.renew_old(scopes, used)

    async def introduce(self) -> None:
        """Learn from a ping how to log in, for what is answered to everybody, but not alike."""
        if self._bearer is None and not self._basic and await self._login.credentials():
            answer = await self._ping(None)
            if answer.status == 401:
                await self.challenged(answer.url, httpx.Headers(answer.headers), (), None)

    def forget_tokens(self) -> None:
        """Get new tokens from now on, as what the old ones were asked for has changed."""
        if self._bearer is not None:
            self._bearer.forget()

    async def check_login(self) -> None:
        """Make sure that the registry takes the credentials, or takes somebody without any.

        Harbor gives an anonymous token for a wrong password, so it is not the token service that
        is believed but the registry, which is asked with what came from it. Raises Unauthorized,
        NotARegistry, RegistryUnavailable, and what ``TokenClient.fetch`` raises.
        """
        credentials = await self._login.credentials()
        used = None if credentials is None else basic_header(credentials)
        answer = await self._ping(used)
        headers = httpx.Headers(answer.headers)
        if answer.status == 401 and await self.challenged(answer.url, headers, (), used):
            answer = await self._ping(await self.authorization(()))
        if answer.status == 401:
            raise self._login.refusal()
        if answer.status != 200:
            kind = RegistryUnavailable if answer.status >= 500 else NotARegistry
            raise kind(
                f"{self._gate.registry}: {answer.url} answered {answer.status}",
                status=answer.status,
                registry=self._gate.registry,
            )

    def _learn_service(self, url: httpx.URL, challenge: Challenge) -> None:
        realm = self._gate.read_url(url, challenge.get("realm"))
        service = TokenService(realm, challenge.get("service"))
        if self._bearer is None:
            self._bearer = Bearer(service, self._login, self._client, self._clock)
        self._bearer.service = service

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
        if (await self._ping(header)).status != 401:
            return False
        await self._login.refuse(credentials, everywhere=True)
        return True

    async def _ping(self, authorization: str | None) -> Answer:
        registry = self._gate.registry
        headers = {"Authorization": authorization} if authorization else {}
        request = httpx.Request("GET", f"{self._gate.origin}/v2/", headers=headers)
        return await exchange(self._send, self._gate, request, Attempt(registry, registry, "ping"))


def _says_where_tokens_are(challenge: Challenge) -> bool:
    return challenge.scheme == "bearer" and bool(challenge.get("realm"))
