"""PlainSocket and TlsSocket: bytes in and out of a connected socket, never waiting.

Both are non-blocking: a call that can do nothing yet raises BlockingIOError, and the caller waits
until the file descriptor is ready. TLS is spoken over memory: one large read from the kernel
feeds many records, where ``ssl.SSLSocket`` makes two system calls for each record of 16 KiB.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol, cast

# Plain text that is encrypted at once. The cipher text is a new object each time; at this size the
# allocator serves it from its heap, while larger ones may cost a mapping and its page faults.
_ENCRYPTED_AT_ONCE: Final = 64 * 1024


class Socket(Protocol):
    """A connected socket that never waits."""

    receive: Callable[[memoryview], int]
    """Receive into a buffer and return how many bytes; 0 means that the other side has ended."""

    send: Callable[[memoryview], int]
    """Take some bytes and return how many; they need not be kept."""

    def flush(self) -> None:
        """Bring to the kernel what ``send`` has taken."""
        ...

    def fileno(self) -> int: ...

    def close(self) -> None: ...


class PlainSocket:
    """TCP as it is."""

    def __init__(self, tcp: socket.socket) -> None:
        self._tcp = tcp
        self.receive: Callable[[memoryview], int] = tcp.recv_into
        self.send: Callable[[memoryview], int] = tcp.send

    def flush(self) -> None:
        """Do nothing: what ``send`` has taken is in the kernel."""

    def fileno(self) -> int:
        return self._tcp.fileno()

    def close(self) -> None:
        self._tcp.close()


class TlsSocket:
    """TLS over TCP, after the handshake.

    *cipher_text* is a buffer for what comes from the kernel. It is used within ``receive`` only,
    so all sockets of an event loop may share it.
    """

    def __init__(
        self,
        tcp: socket.socket,
        tls: ssl.SSLObject,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        *,
        cipher_text: memoryview,
    ) -> None:
        self._tcp = tcp
        self._tls = tls
        self._incoming = incoming
        self._outgoing = outgoing
        self._cipher_text = cipher_text
        self._unsent = memoryview(b"")
        self.receive: Callable[[memoryview], int] = self._receive
        self.send: Callable[[memoryview], int] = self._send

    def _receive(self, into: memoryview) -> int:
        """Fill *into* as far as possible. An error waits for the next call if there are bytes."""
        size, wanted, read = 0, len(into), self._tls.read
        try:
            while size < wanted:
                try:
                    # A record at a time. With a buffer it returns a size, unlike typeshed says.
                    received = cast(int, read(wanted - size, into[size:]))
                except ssl.SSLWantReadError:
                    self._feed()
                    continue
                if not received:
                    break
                size += received
        except OSError:  # BlockingIOError and ssl.SSLError among them
            if not size:
                raise
        finally:
            # A key update asks for an answer. If it cannot leave, the next send says so.
            if self._outgoing.pending:
                with suppress(OSError):
                    self._push()
        return size

    def _feed(self) -> None:
        """Take cipher text from the kernel."""
        size = self._tcp.recv_into(self._cipher_text)
        if size:
            self._incoming.write(self._cipher_text[:size])
        else:
            # The next read raises, because the end was not announced: it may be an attacker's.
            self._incoming.write_eof()

    def _send(self, data: memoryview) -> int:
        self.flush()
        taken, wanted, write = 0, min(len(data), _ENCRYPTED_AT_ONCE), self._tls.write
        while taken < wanted:
            taken += write(data[taken:wanted])
        with suppress(BlockingIOError):
            self._push()
        return taken

    def _push(self) -> None:
        self._unsent = memoryview(bytes(self._unsent) + self._outgoing.read())
        self.flush()

    def flush(self) -> None:
        while self._unsent:
            self._unsent = self._unsent[self._tcp.send(self._unsent) :]

    def fileno(self) -> int:
        return self._tcp.fileno()

    def close(self) -> None:
        self._tcp.close()
