"""Connection: one connection to a server, for one request at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

import httpx

from replicator.registry.transport.deadline import Deadline
from replicator.registry.transport.heads import MAX_HEAD_SIZE, Head, HeadReader
from replicator.registry.transport.sockets import Socket

# Bytes that may pass without waiting before the other tasks of the event loop get a turn.
_TURN: Final = 1024 * 1024


class Limits(NamedTuple):
    """Seconds that a step may take, None for no limit; named as in ``httpx.Timeout``.

    *read* is for an answer's whole head, and for each silence within its body.
    """

    connect: float | None
    read: float | None
    write: float | None
    pool: float | None


class Connection:
    """Sends a request, receives its answer, and may then be used again.

    The event loop watches the socket nearly all the time: so an answer is noticed while the
    request is still being sent, and the end of the connection while it is idle, and a small
    exchange needs no system calls but its own send and receive. Watching stops only while bytes
    of a body wait to be asked for.

    *scratch* is a buffer that is never in use from one call to the next, so that all connections
    of an event loop may share it. *on_close* is called once.
    """

    def __init__(
        self,
        socket: Socket,
        address: str,
        *,
        scratch: memoryview,
        on_close: Callable[[Connection], None],
    ) -> None:
        self.address = address
        self.scratch = scratch
        self.closed = False
        self._socket = socket
        self._fd = socket.fileno()
        self._on_close = on_close
        self._loop = asyncio.get_running_loop()
        self._limits = Limits(None, None, None, None)
        self._deadline = Deadline(self._on_deadline)
        self._idle = True
        self._finished = self._stays_open = True
        self._incoming = HeadReader()
        self._head: Head | None = None
        self._failure: Exception | None = None
        self._sending: asyncio.Timeout | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._watching = False
        self._without_turn = 0
        self._watch()

    # The steps of an exchange.

    def begin(self, limits: Limits) -> None:
        """Expect the answer to a request."""
        self._limits = limits
        self._deadline.lift()
        self._idle = self._finished = False
        self._incoming = HeadReader()
        self._head = self._failure = None

    async def send(self, data: bytes | bytearray | memoryview) -> None:
        """Give all of *data* to the kernel; its memory may then be used again.

        Raises WriteTimeout, WriteError.
        """
        view = memoryview(data)
        try:
            while view:
                try:
                    view = view[self._socket.send(view) :]
                except BlockingIOError:
                    await self._writable()
            while not self._flushed():
                await self._writable()
        except OSError as error:
            raise httpx.WriteError(_text(error)) from error
        await self.give_turn(len(data))

    async def send_until_answered(self, sending: Callable[[], Awaitable[None]]) -> None:
        """Do *sending*, but stop it when the answer comes first.

        The server may or may not wait for the rest of the request then, so the connection is not
        used again.
        """
        self._stays_open = False
        if self.answered:
            return
        try:
            async with asyncio.timeout(None) as self._sending:
                await sending()
            self._stays_open = True
        except TimeoutError:
            if not self.answered:
                raise
        finally:
            self._sending = None

    def sent(self) -> None:
        """Say within ``send_until_answered`` that no answer is too early any more."""
        if self._sending is not None:
            self._sending.reschedule(None)
            self._sending = None

    async def head(self) -> Head:
        """Wait for the head of the answer.

        Raises ReadTimeout, ReadError, RemoteProtocolError.
        """
        if not self.answered:
            await self._readable()
        if self._head is None:
            raise self._failure or httpx.ReadError("the connection was closed")
        return self._head

    def head_after_failure(self) -> Head | None:
        """Return the head if it has been received, although the request could not be sent."""
        self._stays_open = False
        if not self.answered:
            self._receive_head()
        return self._head

    @property
    def rest(self) -> int:
        """How many bytes were received together with the head, and not taken yet."""
        return self._incoming.rest

    def take_rest(self, size: int = MAX_HEAD_SIZE) -> bytes:
        """Take what was received together with the head, at most *size* bytes of it."""
        return self._incoming.take_rest(size)

    def receive(self, into: memoryview) -> int | None:
        """Receive some bytes of the body: how many, 0 at the end, None if there are none yet.

        Raises ReadError.
        """
        try:
            return self._socket.receive(into)
        except BlockingIOError:
            return None
        except OSError as error:
            raise httpx.ReadError(_text(error)) from error

    async def readable(self) -> None:
        """Wait until there is something to receive. Raises ReadTimeout, ReadError."""
        self._watch()
        await self._readable()

    async def give_turn(self, size: int) -> None:
        """Let other tasks run, if much has passed without waiting; *size* bytes have now."""
        self._without_turn += size
        if self._without_turn >= _TURN:
            self._without_turn = 0
            await asyncio.sleep(0)

    def finish(self) -> None:
        """Say that the answer has been taken to its end; what else there is does not belong."""
        self._finished = self._incoming.rest == 0

    # Between exchanges.

    @property
    def answered(self) -> bool:
        """Whether the head has been received, or never will be."""
        return self._head is not None or self._failure is not None

    @property
    def answer_begun(self) -> bool:
        """Whether anything of an answer has been received."""
        return self._incoming.begun

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent on it."""
        return (
            self._finished
            and self._stays_open
            and not self.closed
            and self._head is not None
            and self._head.keeps_alive
        )

    def park(self, seconds: float) -> None:
        """Be idle, for at most so many seconds."""
        self._idle = True
        self._watch()
        self._deadline.set(seconds)

    def is_alive(self) -> bool:
        """Look whether the server has closed the connection while it was idle."""
        self._look_for_end()
        return not self.closed

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self._unwatch()
        if self._writer is not None:
            self._loop.remove_writer(self._fd)
        self._deadline.cancel()
        self._socket.close()
        _wake(self._reader, httpx.ReadError("the connection was closed"))
        _wake(self._writer, httpx.WriteError("the connection was closed"))
        self._on_close(self)

    # What the event loop calls.

    def _on_readable(self) -> None:
        if self._idle:
            self._look_for_end()
        elif not self.answered:
            self._receive_head()
        elif self._reader is not None:
            _wake(self._reader)
        else:
            self._unwatch()

    def _receive_head(self) -> None:
        """Receive until the head is whole, or there is no more for now."""
        try:
            while self._head is None:
                size = self._socket.receive(self.scratch[:MAX_HEAD_SIZE])
                if not size:
                    raise httpx.RemoteProtocolError("the server closed the connection unanswered")
                self._head = self._incoming.feed(self.scratch[:size])
        except BlockingIOError:
            return
        except httpx.RemoteProtocolError as error:
            self._failure = error
        except OSError as error:
            self._failure = httpx.ReadError(_text(error))
            self._failure.__cause__ = error
        _wake(self._reader)
        if self._sending is not None:
            self._sending.reschedule(self._loop.time())

    def _look_for_end(self) -> None:
        """Close an idle connection if there is anything to receive.

        That is its end, or bytes that nobody has asked for. TLS has messages of its own, which
        give no bytes.
        """
        try:
            self._socket.receive(self.scratch)
        except BlockingIOError:
            return
        except OSError:
            pass
        self.close()

    def _on_writable(self) -> None:
        _wake(self._writer)

    def _on_deadline(self) -> None:
        if self._idle:
            self.close()
        _wake(self._reader, httpx.ReadTimeout("the server sent nothing for too long"))
        _wake(self._writer, httpx.WriteTimeout("the server took nothing for too long"))

    # Waiting.

    async def _readable(self) -> None:
        self._reader = self._loop.create_future()
        self._deadline.set(self._limits.read)
        try:
            await self._reader
        finally:
            self._reader = None
            self._deadline.lift()
        self._without_turn = 0

    async def _writable(self) -> None:
        self._writer = self._loop.create_future()
        self._loop.add_writer(self._fd, self._on_writable)
        self._deadline.set(self._limits.write)
        try:
            await self._writer
        finally:
            self._writer = None
            self._deadline.lift()
            if not self.closed:
                self._loop.remove_writer(self._fd)
        self._without_turn = 0

    def _flushed(self) -> bool:
        try:
            self._socket.flush()
        except BlockingIOError:
            return False
        return True

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            self._loop.add_reader(self._fd, self._on_readable)

    def _unwatch(self) -> None:
        if self._watching:
            self._watching = False
            self._loop.remove_reader(self._fd)


def _wake(waiting: asyncio.Future[None] | None, error: Exception | None = None) -> None:
    if waiting is None or waiting.done():
        return
    if error is None:
        waiting.set_result(None)
    else:
        waiting.set_exception(error)


def _text(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
