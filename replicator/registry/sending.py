"""Sender: the one place where requests of a registry go out, and go out again.

A request passes, in this order: the gate, authorization, a free place, the rate, the wire; then
what its answer asks for: another token, a redirect, a repetition.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx

from replicator import __version__, errors
from replicator.events import Listener, RequestRetried
from replicator.registry.answers import MAX_ERROR_SIZE, Answer, Attempt, error_of
from replicator.registry.auth import Authenticator
from replicator.registry.calls import SETTLED, Call, SourceFailed
from replicator.registry.gate import Gate
from replicator.registry.knowledge import Knowledge
from replicator.registry.plain_http import is_plain_http
from replicator.registry.retry import Clock, asked_wait
from replicator.registry.settings import RegistrySettings
from replicator.registry.slots import Limits
from replicator.registry.wire import NO_BODY, Wire, read_answer, translated

T = TypeVar("T")

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


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A failed attempt, and how many seconds the registry asked to wait, if it did."""

    error: errors.RegistryError
    asked: float | None = None


class Sender:
    """Makes the calls to one registry."""

    def __init__(
        self,
        settings: RegistrySettings,
        knowledge: Knowledge,
        *,
        gate: Gate,
        authenticator: Authenticator,
        wire: Wire,
        limits: Limits,
        listener: Listener,
        clock: Clock,
    ) -> None:
        self.settings = settings
        self.knowledge = knowledge
        self.gate = gate
        self.limits = limits
        self.clock = clock
        self.wire = wire
        self._authenticator = authenticator
        self._listener = listener
        self._base: str | None = None
        self._settling = asyncio.Lock()

    @property
    def registry(self) -> str:
        return self.settings.name

    async def send(self, call: Call) -> Answer:
        """Make *call* and return its answer with the body, of one of the expected statuses.

        Raises the RegistryError that any other answer stands for.
        """
        return await self._repeated(call, self._whole)

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncIterator[httpx.Response]:
        """Make *call*, whose caller reads the body, and close the answer at the end."""
        response = await self._repeated(call, self._opened)
        try:
            yield response
        finally:
            await response.aclose()

    async def pause(self, call: Call, reason: str, seconds: float) -> None:
        """Say that *call* will be repeated, and sleep until then."""
        self._listener(RequestRetried(self.registry, call.kind, reason, seconds))
        await self.clock.sleep(seconds)

    def attempt(self, call: Call) -> Attempt:
        return Attempt(self.registry, call.on, call.request)

    async def _repeated(self, call: Call, attempt: Callable[[Call], Awaitable[T | _Refusal]]) -> T:
        """Make attempts until one succeeds or fails for good."""
        await self.settle_scheme()
        for number in itertools.count():
            outcome = await attempt(call)
            if not isinstance(outcome, _Refusal):
                return outcome
            await self._wait_before_repeating(call, outcome, number)
        raise AssertionError  # for the type checker: the loop has no end

    async def _wait_before_repeating(self, call: Call, refusal: _Refusal, number: int) -> None:
        """Sleep as long as it takes, or raise the error if there is to be no repetition.

        Nor is there one of a body that somebody else reads: the error then says that it may be
        sent again, after the same sleep.
        """
        error, longest = refusal.error, self.settings.longest_wait.total_seconds()
        asked = refusal.asked or 0.0
        wait = asked + self.clock.backoff(number)
        if isinstance(error, errors.RateLimited):
            self.limits.throttled(min(wait, longest))
        final = not error.retryable or number >= self.settings.retries
        if final or asked > longest:
            raise error
        await self.pause(call, "no answer" if error.status is None else str(error.status), wait)
        if call.body is not None:
            raise errors.RegistryUnavailable(
                str(error), status=error.status, codes=error.codes, registry=self.registry
            )

    async def _whole(self, call: Call) -> Answer | _Refusal:
        """Make one attempt and read all of its answer."""
        async with self._place(call):
            answer = await self._read(call, await self._opened(call))
        settled = isinstance(answer, _Refusal) and await self._is_settled(call, answer.error)
        return SETTLED if settled else answer

    async def _read(self, call: Call, response: httpx.Response | _Refusal) -> Answer | _Refusal:
        if isinstance(response, _Refusal):
            return response
        try:
            with translated(self.attempt(call)):
                async with asyncio.timeout(self._most_seconds(call)):
                    return await read_answer(response, call.limit)
        except errors.RegistryError as error:
            return _Refusal(error)

    async def _opened(self, call: Call) -> httpx.Response | _Refusal:
        """Make one attempt, up to the head of the answer that was hoped for."""
        try:
            with translated(self.attempt(call)):
                async with asyncio.timeout(self._most_seconds(call)):
                    response = await self._exchange(call)
                    if response.status_code in call.expected:
                        return await self._as_it_is(call, response)
                    answer = await read_answer(response, MAX_ERROR_SIZE)
        except errors.RegistryError as failure:
            return _Refusal(failure)
        asked = asked_wait(answer.headers, self.clock.now())
        error = error_of(answer, self.attempt(call), retry_after=asked)
        return _Refusal(call.refine(answer, error) if call.refine else error, asked)

    async def _as_it_is(self, call: Call, response: httpx.Response) -> httpx.Response:
        """Refuse an answer that is compressed although that was not asked for."""
        coding = response.headers.get("content-encoding", "identity").strip().lower()
        if coding in ("", "identity"):
            return response
        await response.aclose()
        raise errors.NotARegistry(
            f"{self.attempt(call)}: the answer is compressed, which was not asked for",
            status=response.status_code,
            registry=self.registry,
        )

    async def _is_settled(self, call: Call, error: errors.RegistryError) -> bool:
        """Say whether a request whose answer was lost has been carried out."""
        if call.settled is None or not error.retryable or isinstance(error, errors.RateLimited):
            return False
        try:
            return await call.settled()
        except errors.RegistryError:
            raise error from None  # the registry cannot be asked that either

    async def _exchange(self, call: Call) -> httpx.Response:
        """Send one request and follow where its answer leads, always by our own rules.

        Each hop passes the gate and gets headers of its own; the credentials stay at home.
        """
        url = self._url(call.target)
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._authorized(call, url)
            location = _redirect(call, response)
            if location is None:
                return response
            await read_answer(response, MAX_ERROR_SIZE)
            target = self.gate.read_url(url, location)
            self.gate.check_redirect(url, target)
            url = target
        raise errors.NotARegistry(
            f"{self.attempt(call)}: more than {MAX_REDIRECTS} redirects", registry=self.registry
        )

    async def _authorized(self, call: Call, url: httpx.URL) -> httpx.Response:
        """Send a request, and once more if a new token may help."""
        if not self.gate.may_carry_credentials(url):
            return await self._transmit(call, url, None)
        for repetition in range(_MOST_AUTHORIZATIONS):
            used = await self._authenticator.authorization(call.scopes)
            response = await self._transmit(call, url, used)
            worth_it = await self._is_worth_repeating(call, response, used, repetition)
            if not worth_it or repetition == _MOST_AUTHORIZATIONS - 1:
                return response
            await read_answer(response, MAX_ERROR_SIZE)
            if call.body is not None:
                raise errors.RegistryUnavailable(
                    f"{self.attempt(call)}: {response.status_code}; the blob has to be sent again "
                    "with a new token",
                    status=response.status_code,
                    registry=self.registry,
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
        self.knowledge.recognise(headers.get("www-authenticate", ""))
        return await self._authenticator.challenged(response.url, headers, call.scopes, used)

    async def _transmit(
        self, call: Call, url: httpx.URL, authorization: str | None
    ) -> httpx.Response:
        self.gate.check(url)
        await self.limits.pace()
        try:
            response = await self.wire.transmit(call.kind, self._request(call, url, authorization))
        except Exception:
            if call.body is not None and call.body.failure is not None:
                raise SourceFailed(call.body.failure) from None
            raise
        if response.status_code != 429:
            self.limits.answered()
        return response

    def _request(self, call: Call, url: httpx.URL, authorization: str | None) -> httpx.Request:
        headers = [(b"Host", url.netloc), *_ALWAYS]
        headers += [(name.encode(), value.encode()) for name, value in call.headers]
        if authorization is not None:
            headers.append((b"Authorization", authorization.encode()))
        if call.body is None and call.method not in ("GET", "HEAD"):
            headers.append((b"Content-Length", str(len(call.content)).encode()))
        return httpx.Request(
            call.method,
            url,
            headers=headers,
            stream=call.body or _body_stream(call.content),
            extensions=self._extensions(call, url),
        )

    def _extensions(self, call: Call, url: httpx.URL) -> dict[str, Any]:
        extensions: dict[str, Any] = {"timeout": self._timeouts(call)}
        if (guard := self.gate.address_guard(url)) is not None:
            extensions["allow_address"] = guard
        return extensions

    def _url(self, target: str | httpx.URL) -> httpx.URL:
        return httpx.URL(f"{self._base}/v2/{target}") if isinstance(target, str) else target

    def _place(self, call: Call) -> AbstractAsyncContextManager[None]:
        return nullcontext() if call.holds_place else self.limits.request()

    def _timeouts(self, call: Call) -> Mapping[str, float]:
        timeouts = self.settings.timeouts
        return {
            "connect": timeouts.connect,
            "read": call.patience or timeouts.idle,
            "write": timeouts.idle,
            "pool": timeouts.idle,
        }

    def _most_seconds(self, call: Call) -> float | None:
        """Return the limit for an exchange as a whole, which a trickle of bytes cannot stretch."""
        if call.body is not None:
            return None
        timeouts = self.settings.timeouts
        return timeouts.connect + timeouts.idle + (call.patience or timeouts.idle)

    async def settle_scheme(self) -> None:
        """Find out, once and before the first request, whether the registry speaks TLS."""
        if self._base is None:
            async with self._settling:
                if await is_plain_http(self.settings, self.gate.origin):
                    self.gate.speak_plain_http()
                self._base = str(self.gate.origin)


def _redirect(call: Call, response: httpx.Response) -> str | None:
    """Return where an answer sends us; requests that change something are not sent on."""
    if response.status_code not in _REDIRECTS or call.method not in ("GET", "HEAD"):
        return None
    location: str | None = response.headers.get("location")
    return location


def _body_stream(content: bytes) -> httpx.ByteStream:
    return httpx.ByteStream(content) if content else NO_BODY
