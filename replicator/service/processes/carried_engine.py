"""ProcrastinateEngine: messages about items over PostgreSQL, by Procrastinate."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from replicator.service.processes.engine import LocalEngine
from replicator.store.silence import limit_silence_of_driver

if TYPE_CHECKING:
    from procrastinate import App

_log = logging.getLogger(__name__)

# Seconds until a lost connection is made anew.
_AGAIN_AFTER: Final = 5.0


class ProcrastinateEngine:
    """Reads messages while this process has nothing to do: a busy one leaves them to others.

    Nothing of a message but its coming is used: whoever gets it takes up the item whose turn it
    is. *queue* and *task* are what the store's carrier sends to.
    """

    def __init__(self, dsn: str, *, queue: str, task: str) -> None:
        self._dsn = dsn
        self._queue = queue
        self._task = task
        self._local = LocalEngine()
        self._idle = asyncio.Event()

    async def run(self) -> None:
        """Read messages until cancelled; after a loss of the connection goes on anew."""
        # It tells each message at INFO, which is what it carries for us, not what we do.
        logging.getLogger("procrastinate").setLevel(logging.ERROR)
        while True:
            try:
                async with self._app().open_async() as app:
                    await app.run_worker_async(
                        queues=[self._queue],
                        concurrency=1,
                        install_signal_handlers=False,
                        delete_jobs="always",
                        shutdown_graceful_timeout=0,
                    )
            except Exception as error:
                # No text of the error: it may say more of the connection than a log should.
                _log.warning("no messages are read", extra={"error": type(error).__name__})
            await asyncio.sleep(_AGAIN_AFTER)

    def send(self) -> None:
        self._local.send()

    async def receive(self, longest: float) -> None:
        self._idle.set()
        try:
            await self._local.receive(longest)
        finally:
            self._idle.clear()

    def _app(self) -> App:
        """Make what reads messages; a new one each time, as it cannot be opened twice."""
        from procrastinate import App, PsycopgConnector

        connector = PsycopgConnector(
            conninfo=self._dsn, min_size=1, max_size=2, configure=limit_silence_of_driver
        )
        app = App(connector=connector)

        @app.task(name=self._task, queue=self._queue)
        async def look(run: int, item: int) -> None:
            await self._idle.wait()
            self.send()

        return app
