"""Sender: the one place where calls are made, and made again when they fail.

A call waits for a free place, and is then carried through gate, authorization, rate and redirects
to the wire. What comes back is the answer that was hoped for, or the error that names it.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TypeVar

import httpx

from replicator import errors
from replicator.events import Listener, RequestRetried
from replicator.registry.answers import MAX_ERROR_SIZE, Answer, Attempt, error_of
from replicator.registry.calls import SETTLED, Call
from replicator.registry.courier import Courier
from replicator.registry.gate import Gate
from replicator.registry.knowledge import Knowledge
from replicator.registry.pull_budget import PullBudget
from replicator.registry.retry import Clock, asked_wait
from replicator.registry.settings import RegistrySettings
from replicator.registry.slots import Limits
from replicator.registry.wire import NO_ANSWER, Wire, come_answer, has_come, no_answer
from replicator.values import dataclass

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A failed attempt, and how many seconds the registry asked to wait, if it did, or gave no
    answer."""

    error: errors.RegistryError
    asked: float | None = None
    silence: float = 0.0


class Sender:
    """Makes the calls to one registry."""

    def __init__(
        self,
        settings: RegistrySettings,
        knowledge: Knowledge,
        courier: Courier,
        *,
        gate: Gate,
        wire: Wire,
        limits: Limits,
        pulls: PullBudget,
        listener: Listener,
        clock: Clock,
    ) -> None:
        self.settings = settings
        self.knowledge = knowledge
        self.gate = gate
        self.wire = wire
        self.limits = limits
        self.pulls = pulls
        self.clock = clock
        self._courier = courier
        self._listener = listener

    @property
    def registry(self) -> str:
        return self.settings.name

    async def send(self, call: Call) -> Answer:
        """Make *call* and return its answer with the body, of one of the expected statuses.

        Raises the RegistryError that any other answer stands for.
        """
        return await self._repeated(call, self._whole)

    async def open(self, call: Call) -> httpx.Response:
        """Make *call*, whose caller reads the body of the answer, and closes it."""
        return await self._repeated(call, self._opened)

    async def settle_scheme(self) -> None:
        """Find out whether the registry speaks TLS, so that URLs can be judged."""
        await self._courier.settle_scheme()

    async def pause(self, call: Call, reason: str, seconds: float) -> None:
        """Say that *call* will be repeated, and sleep until then."""
        await self._pause(RequestRetried(self.registry, call.kind, reason, seconds))

    def attempt(self, call: Call) -> Attempt:
        return Attempt(self.registry, call.on, call.request)

    async def _pause(self, retried: RequestRetried) -> None:
        self._listener(retried)
        await self.clock.sleep(retried.seconds)

    async def _repeated(self, call: Call, attempt: Callable[[Call], Awaitable[T | _Refusal]]) -> T:
        """Make attempts until one succeeds or fails for good."""
        if not self._courier.settled:
            await self.settle_scheme()
        for number in itertools.count():
            outcome = await attempt(call)
            if not isinstance(outcome, _Refusal):
                return outcome
            if isinstance(outcome.error, errors.RegistryUnavailable) and not outcome.error.status:
                self.limits.circuit.unanswered()
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
        if isinstance(error, errors.RateLimited) or (error.status == 503 and refusal.asked):
            self.limits.throttled(min(wait, longest))
        if not error.retryable or number >= self.settings.retries:
            raise error
        if asked > longest:
            raise errors.RateLimited(
                str(error), retry_after=asked, codes=error.codes, registry=self.registry
            )
        reason = "no answer" if error.status is None else str(error.status)
        tries = self.settings.retries + 1
        await self._pause(
            RequestRetried(
                self.registry, call.kind, reason, wait, refusal.silence, number + 2, tries
            )
        )
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
        if has_come(response):
            return come_answer(response, call.limit)
        since = self.clock.monotonic()
        try:
            return await self._courier.read(call, response, call.limit)
        except NO_ANSWER as error:
            return self._unanswered(call, error, since)

    async def _opened(self, call: Call) -> httpx.Response | _Refusal:
        """Make one attempt, up to the head of the answer that was hoped for.

        Raises RegistryUnavailable if there is no point in one.
        """
        if not self.limits.circuit.lets_through():
            raise self._left_alone(call)
        since = self.clock.monotonic()
        try:
            response = await self._courier.carry(call)
            if response.status_code in call.expected:
                if "content-encoding" in response.headers:
                    await self._refuse_compressed(call, response)
                return response
            answer = await self._courier.read(call, response, MAX_ERROR_SIZE)
        except NO_ANSWER as failure:
            return self._unanswered(call, failure, since)
        except errors.RateLimited as refusal:  # the token service's
            return _Refusal(refusal, refusal.retry_after)
        except errors.RegistryError as refusal:
            return _Refusal(refusal)
        asked = asked_wait(answer.headers, self.clock.now())
        error = error_of(answer, self.attempt(call), retry_after=asked)
        return _Refusal(call.refine(answer, error) if call.refine else error, asked)

    def _left_alone(self, call: Call) -> errors.RegistryUnavailable:
        silence = self.limits.circuit.silence
        return errors.RegistryUnavailable(
            f"{self.attempt(call)}: not asked, as nothing has come from the registry "
            f"for {silence:.0f} s",
            registry=self.registry,
        )

    def _unanswered(self, call: Call, error: Exception, since: float) -> _Refusal:
        refusal = no_answer(error, self.attempt(call))
        refusal.__cause__ = error
        return _Refusal(refusal, silence=self.clock.monotonic() - since)

    async def _refuse_compressed(self, call: Call, response: httpx.Response) -> None:
        """Refuse an answer that is compressed although that was not asked for."""
        coding = response.headers["content-encoding"].strip().lower()
        if coding in ("", "identity"):
            return
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

    def _place(self, call: Call) -> AbstractAsyncContextManager[None]:
        return nullcontext() if call.holds_place else self.limits.request()
