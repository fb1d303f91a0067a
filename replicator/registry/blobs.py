"""Reading the blobs of one repository: verified as they pass, continued when they break."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import replace
from typing import Final

import httpx

from replicator import errors
from replicator.errors import ContentMismatch
from replicator.events import RequestKind
from replicator.oci.descriptor import EMPTY_CONTENT, EMPTY_DESCRIPTOR, Descriptor
from replicator.oci.reference import RepositoryName
from replicator.oci.verify import Verifier
from replicator.registry.answers import number_in
from replicator.registry.calls import Call, pull
from replicator.registry.pace import Pace
from replicator.registry.parts import FAR, LEAST, Parts
from replicator.registry.protocols import Piece
from replicator.registry.ranges import starts_at
from replicator.registry.sending import Sender
from replicator.registry.wire import NO_ANSWER, body_of, no_answer

# However often a read breaks and goes on: at some point it is not going anywhere.
_MOST_RESUMES: Final = 100


class Blobs:
    """Reads the blobs of one repository."""

    def __init__(self, sender: Sender, name: RepositoryName) -> None:
        self._sender = sender
        self._name = name

    async def has(self, blob: Descriptor) -> bool:
        """Ask whether the repository holds *blob*, in the size that it should have."""
        call = self._call("HEAD", RequestKind.BLOB_HEAD, blob)
        try:
            answer = await self._sender.send(call)
        except errors.NotFound:
            return False
        return number_in(answer.headers.get("content-length")) in (None, blob.size)

    def read(
        self, blob: Descriptor, verifier: Verifier | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[Piece]]:
        """Read *blob* from where *verifier* is; see RepositoryReader.read_blob."""
        verifier = verifier or Verifier(blob)
        if is_known(blob):
            return aclosing(_known(verifier))
        call = self._call("GET", RequestKind.BLOB_GET, blob)
        return _Reading(self._sender, call, verifier)

    def _call(self, method: str, kind: RequestKind, blob: Descriptor) -> Call:
        return Call(
            kind,
            method,
            f"{self._name.path}/blobs/{blob.digest}",
            str(self._name),
            f"{method} blobs/{blob.digest}",
            scopes=(pull(self._name.path),),
            holds_place=method == "GET",
        )


class _Reading:
    """One read of a blob, over as many requests as it takes; it holds a place inside ``with``."""

    def __init__(self, sender: Sender, call: Call, verifier: Verifier) -> None:
        self._sender = sender
        self._call = call
        self._verifier = verifier
        self._size = verifier.blob.size
        self._pace = Pace(sender.settings.timeouts.idle)
        self._takes_range = True
        self._broken: errors.ReplicatorError | None = None
        self._resumes = 0
        self._futile = 0
        self._place = sender.limits.reading()
        self._open = self._pieces()

    async def __aenter__(self) -> AsyncIterator[Piece]:
        await self._place.__aenter__()
        return self._open

    async def __aexit__(self, *error: object) -> None:
        try:
            await self._open.aclose()
        finally:
            await self._place.__aexit__(None, None, None)

    async def _pieces(self) -> AsyncGenerator[Piece, None]:
        """Yield what is still to come of the blob, the last piece once all of it is verified."""
        if self._is_long_way():
            async with aclosing(self._pieces_in_parts()) as pieces:
                async for piece in pieces:
                    await self._let_pass(piece)
                    yield piece
        while not self._verifier.complete:
            start = self._verifier.offset
            async with (
                aclosing(await self._sender.open(self._from(start))) as response,
                aclosing(self._new_pieces(response)) as pieces,
            ):
                async for piece in pieces:
                    await self._let_pass(piece)
                    yield piece
            if not self._verifier.complete:
                await self._wait_to_resume(start)
        self._verifier.finish()

    async def _let_pass(self, piece: Piece) -> None:
        limits = self._sender.limits
        limits.circuit.answered()
        await limits.pass_bytes(len(piece))

    def _is_long_way(self) -> bool:
        """Say whether to try to read in parts: all of a large blob, from far away."""
        return (
            self._verifier.offset == 0
            and self._size >= LEAST
            and self._sender.wire.quickest >= FAR
            and self._sender.knowledge.takes_ranges
        )

    async def _pieces_in_parts(self) -> AsyncGenerator[Piece, None]:
        parts = Parts(self._sender, self._call, self._size)
        async with aclosing(parts.pieces()) as pieces:
            async for piece in pieces:
                self._verifier.update(piece)
                if self._verifier.complete:
                    self._verifier.finish()
                yield piece

    async def _new_pieces(self, response: httpx.Response) -> AsyncGenerator[Piece, None]:
        """Yield the verified pieces of one answer, and stop where it ends or breaks."""
        known = self._known_bytes(response)
        if known is None:
            return
        body = body_of(response)
        while (piece := await self._next(body)) is not None:
            piece, known = _cut(piece, known)
            if not piece:
                continue
            self._verifier.update(piece)
            if not self._verifier.complete:
                yield piece
                continue
            piece = bytes(piece)
            await self._expect_end(body)
            self._verifier.finish()
            yield piece
            return

    async def _next(self, body: AsyncIterator[Piece]) -> Piece | None:
        """Return the next piece as it came; None when the body ended or broke."""
        clock = self._sender.clock
        start = clock.monotonic()
        try:
            piece = await anext(body, None)
            size = 0 if piece is None else len(piece)
            if not self._pace.is_kept(size, clock.monotonic() - start):
                raise TimeoutError
        except NO_ANSWER as error:
            self._broken = no_answer(error, self._sender.attempt(self._call))
            return None
        if piece is None:
            self._broken = self._mismatch(f"ends after {self._verifier.offset} bytes")
        return piece

    async def _expect_end(self, body: AsyncIterator[Piece]) -> None:
        """Read to the end of the body, so that its connection can be used again.

        Whatever comes is too much. That the end itself breaks makes no difference.
        """
        while (piece := await self._next(body)) is not None:
            self._verifier.update(piece)

    def _from(self, offset: int) -> Call:
        """Return the call for what follows *offset*, or for all if ranges do not work."""
        if not offset or not self._takes_range:
            return self._call
        return replace(
            self._call,
            headers=(("Range", f"bytes={offset}-"),),
            expected=frozenset({200, 206, 416}),
        )

    def _known_bytes(self, response: httpx.Response) -> int | None:
        """Return how many bytes of an answer are known already; None if it is of no use.

        A part is taken only if it begins exactly where the last one ended. Whoever ignores the
        range sends all; the bytes that went before are then passed over.
        """
        status, offset = response.status_code, self._verifier.offset
        if status == 206 and starts_at(response, offset, self._size):
            return 0
        if status != 200:
            self._takes_range = False
            self._broken = self._mismatch(f"answers {status} to a range from {offset} on")
            return None
        announced = number_in(response.headers.get("content-length"))
        if announced not in (None, self._size):
            self._broken = self._mismatch(f"is announced with {announced} bytes")
            return None
        return offset

    async def _wait_to_resume(self, start: int) -> None:
        """Wait a moment, or raise what broke the read if it has not brought anything for long."""
        self._resumes += 1
        self._futile = 0 if self._verifier.offset > start else self._futile + 1
        if self._futile > self._sender.settings.retries or self._resumes > _MOST_RESUMES:
            raise self._broken or self._mismatch("cannot be read to its end")
        wait = self._sender.clock.backoff(self._futile)
        await self._sender.pause(self._call, "broken off", wait)

    def _mismatch(self, what: str) -> ContentMismatch:
        return ContentMismatch(
            f"{self._call.on}: {self._verifier.blob.digest} {what}; it should have {self._size}"
        )


def is_known(blob: Descriptor) -> bool:
    """Say whether the digest alone tells what is in *blob*, so that nobody has to be asked."""
    return blob.digest == EMPTY_DESCRIPTOR.digest or not blob.size


async def _known(verifier: Verifier) -> AsyncGenerator[Piece, None]:
    """Yield content that its digest alone tells: nothing, or an empty object."""
    content = EMPTY_CONTENT[verifier.offset :] if verifier.blob.size else b""
    verifier.update(content)
    verifier.finish()
    if content:
        yield content


def _cut(piece: Piece, known: int) -> tuple[Piece, int]:
    """Cut off the first *known* bytes; returns the rest, and how many are still to be cut."""
    if not known:
        return piece, 0
    return memoryview(piece)[known:], max(0, known - len(piece))
