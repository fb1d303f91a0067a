"""HttpServer: answers on one address for as long as a block of code runs."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from replicator.errors import ConfigError

# Seconds that an answer may take once the block has ended.
_LAST_ANSWERS: Final = 2


@asynccontextmanager
async def serve_http(app: ASGIApp, host: str, port: int) -> AsyncIterator[str]:
    """Serve *app*, and give the address; port 0 is one that the system chooses.

    Raises ConfigError when it cannot be used.
    """
    listener = _listen(host, port)
    server = _Server(
        uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_LAST_ANSWERS,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield _address(*listener.getsockname()[:2])
    finally:
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: what they mean is for the whole service to say."""
        yield


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(f"cannot listen on {_address(host, port)}: {_reason(error)}") from error


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program uses this address already"
    # Python adds the address once more, as it writes it itself.
    return (error.strerror or str(error)).partition(" (while")[0].lower()
