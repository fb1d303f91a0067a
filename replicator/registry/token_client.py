"""Fetches tokens: one request for each, however many wait for it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Final, TypeAlias

import httpx

from replicator.errors import (
    Denied,
    OutboundRefused,
    RateLimited,
    RegistryError,
    RegistryUnavailable,
    Rejected,
    ReplicatorError,
    Unauthorized,
)
from replicator.registry.answers import (
    Answer,
    Attempt,
    json_object,
    not_a_registry,
    problems,
    shown,
)
from replicator.registry.exchange import Send, exchange
from replicator.registry.gate import Gate, Origin
from replicator.registry.login import Login
from replicator.registry.retry import Clock, asked_wait
from replicator.registry.scopes import Scope
from replicator.registry.settings import Credentials
from replicator.registry.tokens import Token, TokenService, read_token, token_form, token_query

_Flight: TypeAlias = tuple[TokenService, int, tuple[Scope, ...]]

# A refused login is tried again once, and only if its secret was changed meanwhile.
_LOGINS: Final = 2
# Where Quay limits its token service, it takes three at a time for one login.
_PARALLEL_LOGINS: Final = 2
# Quay locks a user for a moment after each wrong password, and rounds Retry-After down.
_ATTEMPTS: Final = 4
_LONGEST_WAIT: Final = 30.0
# How services say that they do not take the form: Artifactory 401, Google 404, Azure 400.
_NO_FORM: Final = frozenset({400, 401, 404, 405})
_LOCKED: Final = rb"too many login attempts"
_CODE: Final = r"[A-Z0-9_]{1,64}"
_KINDS: Final[Mapping[int, tuple[type[RegistryError], str]]] = {
    401: (Unauthorized, "no access without a login"),
    403: (Denied, ""),
}


class TokenClient:
    """Asks the token services of one registry."""

    def __init__(self, gate: Gate, login: Login, send: Send, *, clock: Clock) -> None:
        self._gate = gate
        self._login = login
        self._send = send
        self._clock = clock
        self._flights: dict[_Flight, asyncio.Future[Token]] = {}
        self._logins = asyncio.Semaphore(_PARALLEL_LOGINS)
        self._takes_form = True

    async def fetch(self, service: TokenService, scopes: tuple[Scope, ...]) -> Token:
        """Return a new token; those who ask for the same one meanwhile get the same.

        Raises Unauthorized if the login is refused, or needed and not there; OutboundRefused if
        the service may not have it; RateLimited; another RegistryError if the service fails.
        """
        await self._login.credentials()
        key = (service, self._login.version, scopes)
        while (flight := self._flights.get(key)) is not None:
            await asyncio.wait([flight])
            # Who was to fetch it was cancelled: somebody else has to.
            if not flight.cancelled():
                return flight.result()
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        try:
            flight.set_result(await self._fetch(service, scopes))
        except ReplicatorError as error:
            flight.set_exception(error)
        finally:
            flight.cancel()
            del self._flights[key]
        return flight.result()

    async def _fetch(self, service: TokenService, scopes: tuple[Scope, ...]) -> Token:
        for _ in range(_LOGINS):
            credentials = await self._login.credentials()
            answer = await self._ask(service, scopes, credentials)
            if answer.status != 401 or credentials is None:
                break
            await self._login.refuse(credentials)
        else:
            raise self._login.refusal()
        token = self._token(service, scopes, answer)
        if credentials is not None:
            self._login.accept(credentials)
        return token

    async def _ask(
        self, service: TokenService, scopes: tuple[Scope, ...], credentials: Credentials | None
    ) -> Answer:
        """Ask in the form that the credentials need and the service takes."""
        self._gate.check_realm(service.realm, with_credentials=credentials is not None)
        if credentials is None:
            return await self._patiently(token_query(service, scopes, None))
        async with self._logins:
            if not credentials.identity_token or not self._takes_form:
                return await self._patiently(token_query(service, scopes, credentials))
            answer = await self._patiently(token_form(service, scopes, credentials))
            if answer.status in _NO_FORM:
                answer = await self._patiently(token_query(service, scopes, credentials))
                self._takes_form = answer.status != 200
            return answer

    async def _patiently(self, request: httpx.Request) -> Answer:
        """Send a request, and again when the service asks for it, a second later than it says."""
        for number in range(_ATTEMPTS):
            # Others may have found out meanwhile that the login is refused.
            await self._login.credentials()
            attempt = self._attempt(request.url, "a token")
            answer = await exchange(self._send, self._gate, request, attempt)
            if answer.status != 429:
                return answer
            asked = asked_wait(answer.headers, self._clock.now())
            wait = 2.0**number if asked is None else asked + 1
            if wait > _LONGEST_WAIT or number == _ATTEMPTS - 1:
                break
            await self._clock.sleep(wait)
        raise RateLimited(
            f"{self._gate.registry}: {_reason(answer, asked)}",
            retry_after=asked,
            registry=self._gate.registry,
        )

    def _token(self, service: TokenService, scopes: tuple[Scope, ...], answer: Answer) -> Token:
        """Read the token of an answer, or raise the error that names it.

        Fewer rights than were asked for are no error: the registry says so when they are missing.
        """
        wanted = ("a token for", *map(str, scopes)) if scopes else ("a token",)
        attempt = self._attempt(service.realm, shown(" ".join(wanted)))
        if answer.status != 200:
            raise _error(answer, attempt)
        try:
            found = json_object(answer, attempt)
            return read_token(found, service, scopes, self._clock.monotonic())
        except ValueError as error:
            raise not_a_registry(answer, attempt, str(error)) from None

    def _attempt(self, realm: httpx.URL, wanted: str) -> Attempt:
        registry = self._gate.registry
        return Attempt(registry, registry, f"{wanted} from {Origin.of(realm)}")


def _reason(answer: Answer, asked: float | None) -> str:
    """Say why a token service makes us wait: Quay locks a login, however right it is by now."""
    if re.search(_LOCKED, answer.content, re.IGNORECASE) is None:
        return "its token service asks to slow down (429)"
    until = f" for {asked + 1:.0f} s" if asked is not None else ""
    return f"this login is locked there{until}, after wrong passwords; wait, and try no others"


def _error(answer: Answer, attempt: Attempt) -> RegistryError:
    """Return the error for an answer without a token.

    Only codes are taken from its body, not words: they may repeat what was sent.
    """
    codes = tuple(each.code for each in problems(answer.content) if re.fullmatch(_CODE, each.code))
    kind, hint = _KINDS.get(answer.status, (Rejected, ""))
    if answer.status == 405 and "DENIED" in codes:
        # Quay's answer to who asks for the right to push to a new repository.
        kind, hint = Denied, "it is in read-only mode: a later run goes on"
    if 300 <= answer.status < 400:
        kind, hint = OutboundRefused, "token requests follow no redirect"
    elif answer.status >= 500:
        kind = RegistryUnavailable
    message = " ".join(filter(None, (f"{attempt}: {answer.status}", *codes, hint and f"({hint})")))
    return kind(message, status=answer.status, codes=codes, registry=attempt.registry)
