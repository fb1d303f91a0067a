"""EmbeddedRegistry: a registry on a port of this machine, for as long as a block of code runs."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import uvicorn
from starlette.types import ASGIApp

from replicator.embedded.app import create_app
from replicator.embedded.guard import Auth
from replicator.embedded.memory import MemoryStorage
from replicator.embedded.record import Recorder, RequestLog
from replicator.embedded.storage import Storage
from replicator.errors import ConfigError

# Nobody but this machine: the registry is for trying things out.
_ADDRESS: Final = "127.0.0.1"
# In seconds; clients keep connections for about this long, and a server that closes them first
# makes their next request fail now and then.
_KEEP_ALIVE: Final = 75


@dataclass(frozen=True, slots=True)
class ServerTls:
    """The server's certificate and key, and whose clients it wants; paths are of PEM files."""

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None


class EmbeddedRegistry:
    """Serves *storage* between ``async with`` and its end.

    ``host`` is its name in references, known once it runs; ``requests`` is what it was asked.
    With *port* 0 the system chooses a free one. *wrap* puts middleware around the application,
    inside the log. Raises ConfigError on entry when the port cannot be used.
    """

    def __init__(
        self,
        storage: Storage | None = None,
        *,
        auth: Auth | None = None,
        port: int = 0,
        tls: ServerTls | None = None,
        wrap: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    ) -> None:
        self.storage: Storage = MemoryStorage() if storage is None else storage
        self.requests = RequestLog()
        self._port = port
        self._tls = tls
        self._app = Recorder(wrap(create_app(self.storage, auth)), self.requests)

    @property
    def host(self) -> str:
        """The registry's name in references, such as ``127.0.0.1:5000``."""
        return f"{_ADDRESS}:{self._port}"

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}"

    async def __aenter__(self) -> Self:
        self._server = uvicorn.Server(self._config())
        listener = _listen(self._port)
        self._port = listener.getsockname()[1]
        self._server.lifespan = self._server.config.lifespan_class(self._server.config)
        await self._server.startup(sockets=[listener])
        self._clock = asyncio.create_task(_keep_date(self._server))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop at once: whatever is still being answered is cut off."""
        self._clock.cancel()
        state = self._server.server_state
        for server in self._server.servers:
            server.close()
        for connection in tuple(state.connections):
            connection.transport.abort()
        while state.connections:  # noqa: ASYNC110 - uvicorn sets no event when they are gone
            await asyncio.sleep(0)
        for task in state.tasks:
            task.cancel()
        await asyncio.gather(self._clock, *state.tasks, return_exceptions=True)

    def _config(self) -> uvicorn.Config:
        config = uvicorn.Config(
            self._app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE,
            **_tls_options(self._tls),
        )
        config.load()
        return config


def _tls_options(tls: ServerTls | None) -> dict[str, Any]:
    if tls is None:
        return {}
    options: dict[str, Any] = {"ssl_certfile": tls.cert_file, "ssl_keyfile": tls.key_file}
    if tls.client_ca_file is not None:
        options |= {"ssl_ca_certs": tls.client_ca_file, "ssl_cert_reqs": ssl.CERT_REQUIRED}
    return options


async def _keep_date(server: uvicorn.Server) -> None:
    """Renew the Date header every second, as the server's own main loop would."""
    while True:
        await server.on_tick(0)
        await asyncio.sleep(1)


def _listen(port: int) -> socket.socket:
    # The protocol is named, as asyncio sends small answers at once on such sockets alone.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((_ADDRESS, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise ConfigError(f"cannot listen on {_ADDRESS}:{port}: {error.strerror}") from error
    return listening
