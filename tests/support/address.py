"""What a client must know to speak to a registry."""

from __future__ import annotations

import ssl
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import NamedTuple

_PATIENCE = 60.0  # seconds
KNOCK = "knock"  # the parameter that tells our own requests from those of the subject


class Credentials(NamedTuple):
    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Address:
    """A registry's host and port, and what it asks of those who come.

    A registry with a *ca_file* is reached over TLS, all others over plain HTTP.
    """

    host: str
    credentials: Credentials | None = None
    ca_file: Path | None = None

    @property
    def url(self) -> str:
        return f"{'http' if self.ca_file is None else 'https'}://{self.host}"

    def connect(self) -> HTTPConnection:
        if self.ca_file is None:
            return HTTPConnection(self.host, timeout=_PATIENCE)
        return HTTPSConnection(self.host, timeout=_PATIENCE, context=self._trust())

    def knock(self, path: str, text: str) -> None:
        """Send a request that shows *text* in the server's log; any answer will do."""
        with closing(self.connect()) as connection:
            connection.request("GET", f"{path}?{KNOCK}={text}")
            connection.getresponse().read()

    def _trust(self) -> ssl.SSLContext:
        """Trust the registry's own CA and nobody else."""
        return ssl.create_default_context(cafile=self.ca_file)
