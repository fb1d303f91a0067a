"""Wire: where single requests leave, and where the HTTP library's errors become ours."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final, cast

import httpx

from replicator import errors
from replicator.events import Listener, RegistryWarned, RequestFinished, RequestKind
from replicator.registry.answers import Answer, Attempt, shown
from replicator.registry.protocols import Piece
from replicator.registry.retry import Clock

# Distinct warnings of one registry that are passed on.
_MOST_WARNINGS: Final = 100
NO_BODY: Final = httpx.ByteStream(b"")
# What is raised, and means that no whole answer came.
NO_ANSWER: Final = (httpx.TransportError, httpx.StreamError, TimeoutError, OSError)


class Wire:
    """Sends requests as they are and announces each; knows of no gate, limit or repetition.

    *quickest* is after how many seconds the quickest answer began, 0 before the first: hardly
    more than the way there and back.
    """

    def __init__(
        self,
        registry: str,
        transport: httpx.AsyncBaseTransport,
        *,
        listener: Listener,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._transport = transport
        self._listener = listener
        self._clock = clock
        self._warnings: set[str] = set()
        self.quickest = 0.0

    async def transmit(self, kind: RequestKind, request: httpx.Request) -> httpx.Response:
        """Send *request* and return its answer, whose body is still to be read and closed.

        Raises what the transport raises.
        """
        status = None
        start = self._clock.monotonic()
        try:
            response = await self._transport.handle_async_request(request)
            status = response.status_code
        finally:
            seconds = self._clock.monotonic() - start
            self._listener(RequestFinished(self._registry, kind, status, seconds, request.method))
        self.quickest = min(seconds, self.quickest or seconds)
        response.request = request
        if warning := response.headers.get("warning"):
            self.warn(warning)
        return response

    def warn(self, text: str) -> None:
        """Pass on a warning, each text once. (distribution-spec, "Warnings")"""
        text = shown(text)
        if text not in self._warnings and len(self._warnings) < _MOST_WARNINGS:
            self._warnings.add(text)
            self._listener(RegistryWarned(self._registry, text))

    async def aclose(self) -> None:
        await self._transport.aclose()


async def read_answer(response: httpx.Response, limit: int) -> Answer:
    """Read the body of *response*, at most *limit* bytes of it, and close it."""
    if has_come(response):
        return come_answer(response, limit)
    content, complete = bytearray(), True
    try:
        async for piece in body_of(response):
            content += piece
            if len(content) > limit:
                del content[limit:]
                complete = False
                break
    finally:
        await response.aclose()
    return Answer(response.status_code, response.headers, bytes(content), response.url, complete)


def has_come(response: httpx.Response) -> bool:
    """Say whether all of *response* is here: nothing to wait for, and nothing to close."""
    return isinstance(response.stream, httpx.ByteStream)


def come_answer(response: httpx.Response, limit: int) -> Answer:
    """Read the body of a response that has come, at most *limit* bytes of it."""
    content = b"".join(cast(httpx.ByteStream, response.stream))
    complete = len(content) <= limit
    return Answer(response.status_code, response.headers, content[:limit], response.url, complete)


def body_of(response: httpx.Response) -> AsyncIterator[Piece]:
    """Return the pieces of a body, each valid until the next one is asked for."""
    return cast(httpx.AsyncByteStream, response.stream).__aiter__()


@contextmanager
def translated(attempt: Attempt) -> Iterator[None]:
    """Turn the HTTP library's errors into ours; *attempt* is what they say was tried."""
    try:
        yield
    except NO_ANSWER as error:
        raise no_answer(error, attempt) from error


def no_answer(error: Exception, attempt: Attempt) -> errors.RegistryError:
    """Return the error for a request that got no whole answer."""
    registry = attempt.registry
    if (reason := _untrusted(error)) is not None:
        return errors.TlsNotTrusted(
            f"{attempt}: the certificate is not trusted: {reason}", registry=registry
        )
    return errors.RegistryUnavailable(f"{attempt}: no answer: {_reason(error)}", registry=registry)


def _untrusted(error: BaseException | None) -> str | None:
    """Return why a certificate was not trusted, None if that is not what happened."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return shown(error.verify_message or str(error))
        error = error.__cause__ or error.__context__
    return None


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return f"too slow ({_name(error)})"
    return _system_reason(error) or shown(str(error)) or _name(error)


def _system_reason(error: BaseException | None) -> str:
    """Return what the system said of a connection, in its words without number and address."""
    while error is not None:
        if isinstance(error, socket.gaierror):
            return f"the host is not known ({error.strerror})"
        if isinstance(error, ssl.SSLError):  # whose number is none of the system's
            reason = (error.reason or str(error)).replace("_", " ").lower()
            return f"TLS failed ({shown(reason)}); a registry without TLS needs plain_http = true"
        if isinstance(error, OSError) and error.errno is not None:
            return os.strerror(error.errno).lower()
        error = error.__cause__ or error.__context__
    return ""


def _name(error: Exception) -> str:
    return type(error).__name__
