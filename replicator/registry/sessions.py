"""Upload sessions: how the bytes of one blob are sent, in the way that the registry takes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Final

import httpx

from replicator import errors
from replicator.errors import ContentMismatch, InvalidDigest
from replicator.events import RequestKind
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.media_types import OCTET_STREAM
from replicator.oci.reference import RepositoryName
from replicator.registry.answers import Answer
from replicator.registry.api_urls import with_parameter
from replicator.registry.blobs import Blobs
from replicator.registry.calls import Call, SourceFailed, push
from replicator.registry.knowledge import Way
from replicator.registry.profile import Shape
from replicator.registry.protocols import LARGE, Confirmed, Piece
from replicator.registry.sending import Sender
from replicator.registry.uploading import SentBody, Source

_SENT: Final = frozenset({201, 202, 204})
# 202 to the closing PUT is no success.
_CLOSED: Final = frozenset({201, 204})
_STATUS: Final = frozenset({200, 202, 204})
# Quay says "bytes=0-99", others "0-99"; nothing received is "0--1" or "0-0".
_RANGE: Final = r"(?:bytes[= ])?0-(-?\d{1,19})"
_TYPE: Final = (("Content-Type", OCTET_STREAM),)
# The session is lost, or the bytes, which were right when they left us.
_BEGIN_ANEW: Final = frozenset(
    {"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID", "DIGEST_INVALID", "SIZE_INVALID"}
)
_FINAL: Final = frozenset({"NAME_INVALID", "NAME_UNKNOWN", "UNSUPPORTED"})


class BlobUpload:
    """A session that receives one blob; satisfies Upload.

    *done* is called when the blob has been sent. *least_chunk* is the smallest part, in bytes,
    that the registry takes of a blob sent in parts.
    """

    def __init__(
        self,
        sender: Sender,
        name: RepositoryName,
        blob: Descriptor,
        location: httpx.URL,
        *,
        blobs: Blobs,
        done: Callable[[Descriptor], Awaitable[None]],
        least_chunk: int = 0,
    ) -> None:
        self._sender = sender
        self._name = name
        self._blob = blob
        self._location = location
        self._blobs = blobs
        self._done = done
        self._least_chunk = least_chunk
        self._confirmed: Confirmed | None = None
        self._is_spoilt = False

    @property
    def url(self) -> str:
        """Where the next request goes."""
        return str(self._location)

    @property
    def location(self) -> str:
        return self.url if self._sender.knowledge.profile.resumes_uploads else ""

    async def send(
        self,
        pieces: AsyncIterator[Piece],
        *,
        offset: int = 0,
        confirmed: Confirmed | None = None,
    ) -> None:
        """Send the blob from *offset* on and close the session.

        Raises RegistryUnavailable, which is worth another try with all or the rest of the bytes,
        if the registry failed, lost the session, or refused this way of sending: then another
        one will be used.
        """
        self._confirmed = confirmed
        way = self._sender.knowledge.way
        try:
            async with self._sender.limits.writing():
                await self._send(Source(pieces), offset, self._fitting(way, offset))
        except SourceFailed as failed:
            raise failed.error  # noqa: B904 - passes through as it is, with its own cause
        except (errors.Rejected, errors.NotFound) as error:
            # The answer of a proxy in front may hide that the blob was stored.
            if not await self._blobs.has(self._blob):
                raise self._consequence(error, way, offset) from error
        await self._done(self._blob)

    async def received(self) -> int | None:
        """Ask how many bytes the session holds; None when it has to start again."""
        if self._is_spoilt or not self._sender.knowledge.profile.resumes_uploads:
            return None
        call = self._call("GET", self._location, expected=_STATUS)
        try:
            answer = await self._sender.send(call)
        except errors.RegistryError as error:
            if error.retryable:
                raise
            return None
        self._follow(answer)
        held = self._held(answer)
        # "0-0" is said of one byte and of none.
        return held if held is not None and 1 < held <= self._blob.size else None

    async def cancel(self) -> None:
        """Have the session forgotten. Raises RegistryError where that cannot be done."""
        await self._sender.send(self._call("DELETE", self._location, expected=_STATUS))

    def _fitting(self, way: Way, offset: int) -> Way:
        """Return a PATCH for a PUT that would not do for this blob.

        It alone can say where it begins, and with some it alone leaves behind what it brought.
        """
        keeps = self._blob.size < LARGE or self._sender.knowledge.profile.keeps_puts
        return way if way.shape is not Shape.PUT or (keeps and not offset) else Way(Shape.PATCH)

    async def _send(self, source: Source, offset: int, way: Way) -> None:
        if offset == self._blob.size:
            await source.expect_end()
            await self._close()
            return
        if offset:
            await source.begin()
        if way.shape is Shape.PUT:
            await self._put(source)
        elif way.shape is Shape.PATCH:
            await self._patch(source, offset, self._blob.size, says_range=offset > 0)
            await self._close()
        else:
            await self._send_chunks(source, offset, max(way.chunk_size, self._least_chunk))

    async def _put(self, source: Source) -> None:
        """Send everything in the request that closes the session."""
        call = self._closing(SentBody(self._sender, self._name, source, self._blob.size))
        knowledge = self._sender.knowledge
        try:
            answer = await self._sender.send(call)
        except errors.RegistryUnavailable as error:
            if error.status == 500:
                knowledge.note_failed_put()
            raise
        knowledge.failed_puts = 0
        await self._check(answer)

    async def _patch(self, source: Source, start: int, end: int, *, says_range: bool) -> None:
        """Send the bytes from *start* up to *end*."""
        headers = _body_headers(end - start)
        if says_range:
            # Without "bytes" and total: the form of RFC 9110 is refused by nearly all.
            headers += (("Content-Range", f"{start}-{end - 1}"),)
        call = self._call(
            "PATCH",
            self._location,
            headers=headers,
            expected=_SENT,
            body=SentBody(self._sender, self._name, source, end - start),
        )
        answer = await self._sender.send(call)
        self._follow(answer)
        held = self._held(answer) if says_range else None
        # Some count one too many; distribution 2 overlooks where a part begins, and appends it.
        if held is not None and not end <= held <= end + 1:
            self._is_spoilt = held > end
            raise errors.RegistryUnavailable(
                f"{self._name}: PATCH uploads/…: it has {held} bytes and not {end}",
                status=answer.status,
                registry=self._name.registry,
            )

    async def _send_chunks(self, source: Source, offset: int, size: int) -> None:
        """Send the blob from *offset* on in parts, and look whether they have become one."""
        for start in range(offset, self._blob.size, size):
            end = min(start + size, self._blob.size)
            await self._patch(source, start, end, says_range=True)
            if self._confirmed is not None:
                await self._confirmed(end)
        await self._close()
        if not await self._blobs.has(self._blob):
            raise errors.Rejected(
                f"{self._name}: {self._blob.digest} was sent in parts, but is not there whole",
                registry=self._name.registry,
            )

    async def _close(self) -> None:
        await self._check(await self._sender.send(self._closing(None)))

    def _call(
        self,
        method: str,
        location: httpx.URL,
        *,
        expected: frozenset[int],
        headers: tuple[tuple[str, str], ...] = (),
        body: SentBody | None = None,
        closes: bool = False,
    ) -> Call:
        return Call(
            RequestKind.UPLOAD,
            method,
            location,
            str(self._name),
            f"{method} blobs/uploads/… of {self._blob.digest}",
            scopes=(push(self._name.path),),
            headers=headers,
            expected=expected,
            body=body,
            settled=partial(self._blobs.has, self._blob) if closes else None,
            holds_place=method != "GET",
            patience=self._sender.settings.timeouts.closing if closes else None,
        )

    def _closing(self, body: SentBody | None) -> Call:
        """Return the PUT that closes the session, with what *body* has of the blob.

        Registries on object storage answer it only after they have moved the blob. Whether a
        blob is stored whose answer was lost, the registry can be asked.
        """
        return self._call(
            "PUT",
            # The query is the registry's own and stays as it is: distribution signs its state.
            with_parameter(self._location, f"digest={self._blob.digest.quoted}"),
            expected=_CLOSED,
            headers=_TYPE if body is None else _body_headers(self._blob.size),
            body=body,
            closes=True,
        )

    async def _check(self, answer: Answer) -> None:
        """Refuse an answer that is about another blob than the one that was sent.

        Harbor takes a blob by its sha512, and has it by its sha256 alone from then on.
        """
        try:
            digest = Digest.parse(answer.headers.get("docker-content-digest", ""))
        except InvalidDigest:
            return
        if digest.algorithm != self._blob.digest.algorithm:
            if not await self._blobs.has(self._blob):
                raise errors.Rejected(
                    f"{self._name}: {self._blob.digest} was stored as {digest}; this registry "
                    f"keeps nothing by {self._blob.digest.algorithm}",
                    codes=("UNSUPPORTED",),
                    registry=self._name.registry,
                )
        elif digest != self._blob.digest:
            raise ContentMismatch(f"{self._name}: {self._blob.digest} was stored as {digest}")

    def _follow(self, answer: Answer) -> None:
        """Go on at the newest place; Quay and Gitea name none when nothing has changed."""
        if location := answer.headers.get("location"):
            self._location = self._sender.gate.upload_location(answer.url, location)

    def _held(self, answer: Answer) -> int | None:
        """Return how many bytes an answer says that the session holds."""
        match = re.fullmatch(_RANGE, answer.headers.get("range", "").strip(), re.ASCII)
        if match is None:
            return None
        bias = self._sender.knowledge.profile.offset_bias if answer.status == 204 else 0
        return max(0, int(match[1]) + 1 - bias)

    def _consequence(
        self, error: errors.RegistryError, way: Way, offset: int
    ) -> errors.RegistryError:
        """Return what a refusal means for whoever may send the blob again."""
        codes = set(error.codes)
        # What it holds is not the blob, however much of it there is.
        self._is_spoilt = "DIGEST_INVALID" in codes
        if not _FINAL.isdisjoint(codes):
            return error
        if offset and error.status == 416:
            return self._again(error, "the session holds more or less than it said")
        if offset or not _BEGIN_ANEW.isdisjoint(codes):
            return self._again(error, "the upload has to begin anew")
        # GHCR says 416 of a part that is too large.
        size = min(way.chunk_size or self._blob.size, self._blob.size)
        too_large = size if error.status in (413, 416) else 0
        if self._sender.knowledge.another_way(way, too_large=too_large):
            return self._again(error, "it is sent in another way from now on")
        return error

    def _again(self, error: errors.RegistryError, reason: str) -> errors.RegistryError:
        return errors.RegistryUnavailable(
            f"{error}; {reason}",
            status=error.status,
            codes=error.codes,
            registry=self._name.registry,
        )


def _body_headers(size: int) -> tuple[tuple[str, str], ...]:
    return (*_TYPE, ("Content-Length", str(size)))
