"""Server programs: started on a free port, read while they speak, stopped by their own handle."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.client import HTTPException
from pathlib import Path

Command = Sequence[str | Path]

_PATIENCE = 30.0  # seconds; far more than any of these servers needs on a busy machine
_PAUSE = 0.01  # seconds between two looks whether a port is open
_STARTS = 5
_KNOCK = "is-it-up."


class ServerFailed(Exception):
    """A server ended, or stayed silent; the text has the last lines that it wrote."""


class ServerProcess:
    """A running program and every line that it has written to stdout or stderr so far."""

    def __init__(self, command: Command) -> None:
        self.lines: list[str] = []
        self._ended = False
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=os.environ | {"OTEL_TRACES_EXPORTER": "none"},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._ended

    def wait_for_line(self, text: str, *, since: int = 0) -> int:
        """Wait until a line has *text*; gives its number. Raises ServerFailed if none comes."""

        def number() -> int | None:
            return next((n for n in range(since, len(self.lines)) if text in self.lines[n]), None)

        with self._news:
            self._news.wait_for(lambda: self._ended or number() is not None, _PATIENCE)
            found = number()
        if found is None:
            raise ServerFailed(f"waited for {text!r}; the last lines are:\n{self.tail()}")
        return found

    def tail(self) -> str:
        return "\n".join(self.lines[-20:])

    def wait(self) -> int:
        """Wait until it ends by itself, and return its exit code."""
        return self._process.wait(_PATIENCE)

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                self._add(line.rstrip("\n"))
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _add(self, line: str) -> None:
        with self._news:
            self.lines.append(line)
            self._news.notify_all()


@contextmanager
def serving(
    command: Callable[[int], Command], knock: Callable[[int, str], None], *, says: str = _KNOCK
) -> Iterator[tuple[ServerProcess, int]]:
    """Run the server that *command* gives for a port, on a port that was free.

    Somebody else may take the port between our look and the server's start. So *knock*
    sends it a request with a text that the server writes to its log: only the server that
    we started shows that text in the log that we read. A server that writes down no requests
    *says* something else, once the port is its own.
    """
    process, port = _start(command, knock, says)
    try:
        yield process, port
    finally:
        process.stop()


def _start(
    command: Callable[[int], Command], knock: Callable[[int, str], None], says: str
) -> tuple[ServerProcess, int]:
    failures = []
    for _ in range(_STARTS):
        port = free_port()
        process = ServerProcess(command(port))
        try:
            _wait_until_up(process, partial(knock, port), says)
        except ServerFailed as failure:
            process.stop()
            failures.append(failure)
        else:
            return process, port
    raise failures[-1]


def _wait_until_up(process: ServerProcess, knock: Callable[[str], None], says: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not process.ended and time.monotonic() < deadline:
        try:
            knock(_KNOCK)
        except (OSError, HTTPException):
            time.sleep(_PAUSE)
        else:
            process.wait_for_line(says)
            return
    raise ServerFailed(f"the server did not start; its last lines are:\n{process.tail()}")


def free_port() -> int:
    """Find a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
