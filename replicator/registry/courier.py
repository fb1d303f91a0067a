"""Courier: takes one call to the registry and comes back with the answer, by whatever way."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import Any, Final, Protocol

import httpx

from replicator import __version__, errors
from replicator.registry.answers import MAX_ERROR_SIZE, Answer
from replicator.registry.api_urls import ApiUrls
from replicator.registry.calls import Call, SourceFailed
from replicator.registry.gate import Gate
from replicator.registry.knowledge import Knowledge
from replicator.registry.plain_http import is_plain_http
from replicator.registry.scopes import Scope
from replicator.registry.settings import RegistrySettings
from replicator.registry.slots import Limits
from replicator.registry.wire import NO_BODY, Wire, come_answer, has_come, read_answer
from replicator.values import dataclass

MAX_REDIRECTS: Final = 5
# What the authenticator learns from a 401 helps at once or with the next one; a registry that
# names yet another scope each time would make it go on for ever.
_MOST_AUTHORIZATIONS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
USER_AGENT: Final = f"replicator/{__version__}"
# Whatever an answer is compressed with, its digest would be that of other bytes.
_ALWAYS: Final = (
    (b"User-Agent", USER_AGENT.encode()),
    (b"Accept-Encoding", b"identity"),
)


class Authorizer(Protocol):
    """Knows what goes into ``Authorization``; see Authenticator for what its methods promise."""

    async def authorization(self, scopes: tuple[Scope, ...]) -> str | None: ...

    async def challenged(
        self, url: httpx.URL, headers: httpx.Headers, scopes: tuple[Scope, ...], used: str | None
    ) -> bool: ...

    async def denied(self, scopes: tuple[Scope, ...], used: str | None) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Server:
    """What all requests to one server have in common: its header, and what the gate says."""

    host: tuple[bytes, bytes]
    may_get_credentials: bool
    extensions: dict[str, Any]


class Courier:
    """Carries single calls: through the gate, with authorization, at the rate, along redirects.

    Raises the HTTP library's errors as they are, and ours for what is not let through.
    """

    def __init__(
        self,
        settings: RegistrySettings,
        knowledge: Knowledge,
        *,
        gate: Gate,
        authenticator: Authorizer,
        wire: Wire,
        limits: Limits,
    ) -> None:
        self._settings = settings
        self._knowledge = knowledge
        self._gate = gate
        self._authenticator = authenticator
        self._wire = wire
        self._limits = limits
        self._urls: ApiUrls | None = None
        self._own: _Server | None = None
        self._settling = asyncio.Lock()

    @property
    def settled(self) -> bool:
        """Whether it is known if the registry speaks TLS."""
        return self._urls is not None

    async def settle_scheme(self) -> None:
        """Find out, once and before the first request, whether the registry speaks TLS."""
        if not self.settled:
            async with self._settling:
                await self._settle()

    async def _settle(self) -> None:
        # Whoever was first has found it out for all who waited.
        if self.settled:
            return
        if await is_plain_http(self._settings, self._gate.origin):
            self._gate.speak_plain_http()
        urls = ApiUrls(str(self._gate.origin))
        self._urls, self._own = urls, self._judged(urls.root)

    async def carry(self, call: Call) -> httpx.Response:
        """Return the answer to *call*, whose body is still to be read.

        Redirects are followed by our own rules: each hop passes the gate and gets headers of its
        own, and the credentials stay at home.
        """
        url, server = self._place(call.target)
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._authorized(call, url, server)
            location = _redirect(call, response)
            if location is None:
                return response
            await self.read(call, response, MAX_ERROR_SIZE)
            target = self._gate.read_url(url, location)
            self._gate.check_redirect(url, target)
            url, server = self._place(target)
        raise errors.NotARegistry(
            f"{call.on}: {call.request}: more than {MAX_REDIRECTS} redirects",
            registry=self._settings.name,
        )

    async def read(self, call: Call, response: httpx.Response, limit: int) -> Answer:
        """Read an answer, at most *limit* bytes of its body, within the time for *call*."""
        if has_come(response):
            return come_answer(response, limit)
        async with asyncio.timeout(self._most_seconds(call)):
            return await read_answer(response, limit)

    async def _authorized(self, call: Call, url: httpx.URL, server: _Server) -> httpx.Response:
        """Send a request, and again as long as another authorization may help."""
        if not server.may_get_credentials:
            return await self._transmit(call, url, server, None)
        for repetition in range(_MOST_AUTHORIZATIONS):
            used = await self._authenticator.authorization(call.scopes)
            response = await self._transmit(call, url, server, used)
            if response.status_code not in (401, 403):
                return response
            worth_it = await self._is_worth_repeating(call, response, used, repetition)
            if not worth_it or repetition == _MOST_AUTHORIZATIONS - 1:
                return response
            await self.read(call, response, MAX_ERROR_SIZE)
            if call.body is not None:
                raise errors.RegistryUnavailable(
                    f"{call.on}: {call.request}: {response.status_code}; "
                    "the blob has to be sent again with a new token",
                    status=response.status_code,
                    registry=self._settings.name,
                )
        raise AssertionError  # for the type checker: the loop returns

    async def _is_worth_repeating(
        self, call: Call, response: httpx.Response, used: str | None, repetition: int
    ) -> bool:
        """Say whether a refused request may succeed with another authorization."""
        try:
            match response.status_code:
                case 401:
                    return await self._challenged(call, response, used)
                case 403 if not repetition:
                    return await self._authenticator.denied(call.scopes, used)
                case _:
                    return False
        except BaseException:
            await response.aclose()
            raise

    async def _challenged(self, call: Call, response: httpx.Response, used: str | None) -> bool:
        headers = response.headers
        self._knowledge.recognise(headers.get("www-authenticate", ""))
        if call.gives_way is not None and call.gives_way():
            return False
        return await self._authenticator.challenged(response.url, headers, call.scopes, used)

    async def _transmit(
        self, call: Call, url: httpx.URL, server: _Server, authorization: str | None
    ) -> httpx.Response:
        request = self._request(call, url, server, authorization)
        await self._limits.pace()
        try:
            async with asyncio.timeout(self._most_seconds(call)):
                response = await self._wire.transmit(call.kind, request)
        except Exception:
            if call.body is not None and call.body.failure is not None:
                raise SourceFailed(call.body.failure) from None
            raise
        self._limits.circuit.answered()
        if response.status_code not in (429, 503):
            self._limits.answered()
        return response

    def _request(
        self, call: Call, url: httpx.URL, server: _Server, authorization: str | None
    ) -> httpx.Request:
        is_told = call.body is None and call.method not in ("GET", "HEAD")
        length = len(call.content) if is_told else None
        extensions = server.extensions
        if call.patience is not None:
            extensions = {**extensions, "timeout": self._waits(call.patience)}
        return httpx.Request(
            call.method,
            url,
            headers=_headers(server.host, call.headers, authorization, length),
            stream=call.body or _stream_of(call.content),
            extensions=extensions,
        )

    def _place(self, target: str | httpx.URL) -> tuple[httpx.URL, _Server]:
        """Return where a request to *target* goes, and to whom.

        What the gate says of a URL does not depend on its path, so that the registry's own
        server has been judged when its scheme was settled.
        """
        if isinstance(target, str) and self._urls is not None and self._own is not None:
            return self._urls.url(target), self._own
        url = httpx.URL(target)
        return url, self._judged(url)

    def _judged(self, url: httpx.URL) -> _Server:
        """Let the gate judge the server of *url*. Raises OutboundRefused."""
        self._gate.check(url)
        guard = self._gate.address_guard(url)
        return _Server(
            (b"Host", url.netloc),
            self._gate.may_carry_credentials(url),
            {"timeout": self._waits(None)} | ({"allow_address": guard} if guard else {}),
        )

    def _waits(self, patience: float | None) -> dict[str, float]:
        """Return how many seconds each step may take, as the transport wants to have it."""
        timeouts = self._settings.timeouts
        return {
            "connect": timeouts.connect,
            "read": patience or timeouts.idle,
            "write": timeouts.idle,
            "pool": timeouts.idle,
        }

    def _most_seconds(self, call: Call) -> float | None:
        """Return the limit for an exchange, which a trickle of bytes cannot stretch.

        A blob takes as long as it takes; there it is the pace that counts.
        """
        if call.body is not None:
            return None
        timeouts = self._settings.timeouts
        return timeouts.connect + timeouts.idle + (call.patience or timeouts.idle)


@lru_cache(maxsize=64)
def _headers(
    host: tuple[bytes, bytes],
    fields: tuple[tuple[str, str], ...],
    authorization: str | None,
    length: int | None,
) -> httpx.Headers:
    """Return the headers of a request; most are the same as those of one before.

    Each request makes a copy of its own.
    """
    headers = [host, *_ALWAYS]
    headers += [(name.encode(), value.encode()) for name, value in fields]
    if authorization is not None:
        headers.append((b"Authorization", authorization.encode()))
    if length is not None:
        headers.append((b"Content-Length", str(length).encode()))
    return httpx.Headers(headers)


def _redirect(call: Call, response: httpx.Response) -> str | None:
    """Return where an answer sends us; requests that change something are not sent on."""
    if response.status_code not in _REDIRECTS or call.method not in ("GET", "HEAD"):
        return None
    location: str | None = response.headers.get("location")
    return location


def _stream_of(content: bytes) -> httpx.ByteStream:
    return httpx.ByteStream(content) if content else NO_BODY
