"""Message heads: from a request to bytes, and from bytes to the head of an answer."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import httptools
import httpx

from replicator.values import dataclass

# Bytes of heads that are received for one answer, those of interim answers included.
MAX_HEAD_SIZE: Final = 64 * 1024

_END: Final = b"\r\n\r\n"
_REQUEST_LINE: Final = re.compile(rb"[!-~]+ [!-~]+ HTTP/1\.1\r\n")
_FIELDS: Final = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: [^\r\n\0]*\r\n)*\r\n")
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding", b"connection"})


@dataclass(frozen=True, slots=True)
class Fields:
    """The headers of a request as they are written, and what they say of its body."""

    text: bytes
    length: int
    chunked: bool


def encode_head(request: httpx.Request) -> tuple[bytes, Fields]:
    """Write the request line and the headers; returns what they say as well.

    Raises LocalProtocolError if a line break or a character that does not belong there would
    make something else of them than was meant, or if there is no Host.
    """
    line = b"%b %b HTTP/1.1\r\n" % (request.method.encode("ascii"), request.url.raw_path)
    if not _REQUEST_LINE.fullmatch(line):
        raise _illegal()
    fields = _written(tuple(request.headers.raw))
    return line + fields.text, fields


@lru_cache(maxsize=64)
def _written(headers: tuple[tuple[bytes, bytes], ...]) -> Fields:
    """Write headers, which in most requests are those of one before."""
    text = b"".join([*(b"%b: %b\r\n" % header for header in headers), b"\r\n"])
    # A header in a header would be well-formed, too, but one line more.
    if not _FIELDS.fullmatch(text) or text.count(b"\n") != len(headers) + 1:
        raise _illegal()
    named = {name.lower(): value for name, value in headers}
    if b"host" not in named:
        raise httpx.LocalProtocolError("a request needs a Host header")
    return Fields(text, int(named.get(b"content-length", 0)), chunked=b"transfer-encoding" in named)


def _illegal() -> httpx.LocalProtocolError:
    return httpx.LocalProtocolError("the request line or a header has an illegal character")


@dataclass(frozen=True, slots=True)
class Head:
    """The head of an answer.

    *length* is the body's, None if the head does not say; *keeps_alive* whether the server goes
    on with the connection afterwards.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    length: int | None
    chunked: bool
    keeps_alive: bool


class HeadReader:
    """Receives the head of one answer, and passes over interim ones (1xx)."""

    def __init__(self) -> None:
        self.begun = False
        self._pending = bytearray()
        self._passed = 0

    @property
    def rest(self) -> int:
        """How many bytes have been received beyond the head, and not been taken."""
        return len(self._pending)

    def take_rest(self, size: int) -> bytes:
        """Take at most *size* of the bytes beyond the head."""
        rest = bytes(self._pending[:size])
        del self._pending[:size]
        return rest

    def feed(self, data: memoryview) -> Head | None:
        """Take what was received; return the head when it is whole.

        Raises RemoteProtocolError if it is not the head of an HTTP/1 answer, or is too large.
        """
        self.begun = True
        searched = max(0, len(self._pending) - len(_END) + 1)
        self._pending += data
        while (end := self._pending.find(_END, searched)) >= 0:
            size = end + len(_END)
            self._passed += size
            if self._passed > MAX_HEAD_SIZE:
                break
            head = _parse(bytes(self._pending[:size]))
            del self._pending[:size]
            searched = 0
            if head.status >= 200:
                return head
        if self._passed + len(self._pending) > MAX_HEAD_SIZE:
            raise httpx.RemoteProtocolError(f"the head is over {MAX_HEAD_SIZE} bytes")
        return None


def _parse(data: bytes) -> Head:
    headers = _Headers()
    parser = httptools.HttpResponseParser(headers)
    try:
        parser.feed_data(data)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
        raise httpx.RemoteProtocolError(f"not the head of an answer: {error}") from error
    status = parser.get_status_code()
    if not headers.complete or status < 100 or not data.startswith(b"HTTP/1."):
        raise httpx.RemoteProtocolError("not the head of an HTTP/1 answer")
    return headers.head(status, persistent=data.startswith(b"HTTP/1.1"))


class _Headers:
    """What the parser calls."""

    def __init__(self) -> None:
        self.complete = False
        self._all: list[tuple[bytes, bytes]] = []
        self._framing: dict[bytes, bytes] = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        value = value.rstrip(b" \t")
        self._all.append((name, value))
        if (lower := name.lower()) in _FRAMING:
            earlier = self._framing.get(lower)
            self._framing[lower] = value if earlier is None else earlier + b"," + value

    def on_headers_complete(self) -> None:
        self.complete = True

    def head(self, status: int, *, persistent: bool) -> Head:
        """*persistent* is whether connections are kept alive unless the server says otherwise."""
        # The parser has made sure that there is at most one length, and that it is a number.
        length = self._framing.get(b"content-length")
        coding = self._framing.get(b"transfer-encoding")
        if coding is not None and coding.lower() != b"chunked":
            raise httpx.RemoteProtocolError(f"unknown transfer coding {coding!r}")
        options = {
            option.strip() for option in self._framing.get(b"connection", b"").lower().split(b",")
        }
        return Head(
            status=status,
            headers=self._all,
            length=None if length is None else int(length),
            chunked=coding is not None,
            keeps_alive=b"close" not in options if persistent else b"keep-alive" in options,
        )
