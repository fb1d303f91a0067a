"""ChunkParser: the content of a chunked body. (RFC 9112, 7.1)"""

from __future__ import annotations

from typing import Final

import httptools
import httpx

# Bytes that may pass without content: sizes, extensions, trailers.
_MAX_OVERHEAD: Final = 64 * 1024


class ChunkParser:
    """Takes the chunks' content out of what was received.

    *complete* tells that the last chunk has come, *excess* that something has come after it.
    """

    def __init__(self) -> None:
        self.complete = False
        self.excess = False
        self._content: list[bytes] = []
        self._overhead = 0
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")

    def feed(self, data: bytes | memoryview) -> bytes:
        """Return the content in *data*. Raises RemoteProtocolError."""
        self._content.clear()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.excess = self.complete
            if not self.complete:
                raise httpx.RemoteProtocolError(f"malformed chunk: {error}") from error
        content = b"".join(self._content)
        self._overhead = 0 if content else self._overhead + len(data)
        if self._overhead > _MAX_OVERHEAD:
            raise httpx.RemoteProtocolError("a chunked body with nothing but overhead")
        return content

    def on_message_begin(self) -> None:
        """Called by the parser, also for what follows the body as if it were another answer."""
        self.excess = self.complete

    def on_body(self, content: bytes) -> None:
        """Called by the parser."""
        if not self.complete:
            self._content.append(content)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self.complete = True
