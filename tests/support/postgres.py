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


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server; *socket* is the folder of its unix socket."""

    port: int
    socket: Path
    _numbers: Iterator[int]

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


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a server that writes nothing to disk in time, and ends with its context."""
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
        process, port = _start([*as_user, program("postgres"), "-D", data], folder)
        try:
            yield Postgres(port, folder, count())
        finally:
            # The signal that ends it at once; the polite one waits for those connected.
            os.kill(process.pid, signal.SIGINT)
            process.stop()


def program(name: str) -> Path:
    """Find a program of PostgreSQL, which Debian keeps off the PATH."""
    versions = sorted(_DEBIAN.glob("*/bin"), key=lambda path: int(path.parent.name))
    found = shutil.which(name, path=os.pathsep.join(map(str, reversed(versions))))
    found = found or shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"no {name}; install PostgreSQL (apt-get install postgresql)")
    return Path(found)


def _start(command: list[str | Path], socket: Path) -> tuple[ServerProcess, int]:
    options = {
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": str(socket),
        "max_connections": "200",
    }
    flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    for _ in range(_STARTS):
        port = free_port()
        process = ServerProcess([*command, *flags, "-p", str(port)])
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
