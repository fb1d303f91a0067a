"""A real PostgreSQL on loopback, fast and forgetful, for the session; a database for each test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from tests.support.folders import data_folder
from tests.support.processes import ServerFailed, ServerProcess, free_port

_USER = "replicator"
_READY = "database system is ready to accept connections"
_DEBIAN = Path("/usr/lib/postgresql")
_STARTS = 5


@dataclass(slots=True)
class Postgres:
    """A running server; *socket* is the folder of its unix socket."""

    port: int
    socket: Path
    _command: list[str | Path]
    _process: ServerProcess
    _numbers: Iterator[int]

    @property
    def pid(self) -> int:
        """The process that all others of the server belong to."""
        return self._process.pid

    def url(self, name: str) -> str:
        """Return the URL of a database, as users write it."""
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{name}"

    def create_database(self, *, template: str = "template0") -> str:
        """Make a database, empty or as a copy of another, and return its name."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        return name

    def schema(self, name: str) -> str:
        """Return the definition of all that is in a database, as the server's own tool has it."""
        dump = [program("pg_dump"), "--schema-only", "--restrict-key=none", self.url(name)]
        return subprocess.run(dump, check=True, capture_output=True, text=True).stdout

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End at once: SIGINT with a checkpoint, SIGQUIT as in a crash.

        The polite signal waits for those connected.
        """
        os.kill(self._process.pid, how)
        self._process.stop()

    def start_again(self) -> None:
        """Go on at the same port."""
        self._process = ServerProcess([*self._command, "-p", str(self.port)])
        self._process.wait_for_line(_READY)


@contextmanager
def postgres(*, keeps_commits: bool = False) -> Iterator[Postgres]:
    """Run a server that writes nothing to disk in time, and ends with its context.

    One that *keeps_commits* has them also after a crash of its own.
    """
    with data_folder() as folder:
        as_user = _as_unprivileged_user(folder)
        data = folder / "data"
        subprocess.run(
            [
                *as_user, program("initdb"), "--pgdata", data, "--username", _USER,
                "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync",
            ],
            check=True,
            capture_output=True,
        )  # fmt: skip
        flags = _flags(folder, synchronous_commit="on" if keeps_commits else "off")
        command: list[str | Path] = [*as_user, program("postgres"), "-D", data, *flags]
        process, port = _start(command)
        server = Postgres(port, folder, command, process, count())
        try:
            yield server
        finally:
            server.stop()


def program(name: str) -> Path:
    """Find a program of PostgreSQL, which Debian keeps off the PATH."""
    versions = sorted(_DEBIAN.glob("*/bin"), key=lambda path: int(path.parent.name))
    found = shutil.which(name, path=os.pathsep.join(map(str, reversed(versions))))
    found = found or shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"no {name}; install PostgreSQL (apt-get install postgresql)")
    return Path(found)


def _flags(socket: Path, **more: str) -> list[str]:
    options = {
        "fsync": "off",
        "full_page_writes": "off",
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": str(socket),
        "max_connections": "200",
        **more,
    }
    return [part for name, value in options.items() for part in ("-c", f"{name}={value}")]


def _start(command: list[str | Path]) -> tuple[ServerProcess, int]:
    for _ in range(_STARTS):
        port = free_port()
        process = ServerProcess([*command, "-p", str(port)])
        try:
            process.wait_for_line(_READY)
        except ServerFailed as failure:
            # Somebody took the port in between, which the log says.
            failed = failure
            process.stop()
        else:
            return process, port
    raise failed


def _as_unprivileged_user(folder: Path) -> list[str]:
    """Return what to put before a command: PostgreSQL refuses to be run by root."""
    if os.geteuid() != 0:
        return []
    shutil.chown(folder, "postgres", "postgres")
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]
