"""How the service runs in this process, and how it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from replicator import __version__, bootstrap
from replicator.cli.session import Session

if TYPE_CHECKING:
    from replicator.config import Config
    from replicator.config.values import Listen

_log = logging.getLogger("replicator")


def serve_until_told(session: Session, config: Config, address: Listen) -> None:
    """Serve rules, and answer at *address*, until SIGTERM or Ctrl-C."""
    with asyncio.Runner(loop_factory=bootstrap.new_event_loop) as runner:
        runner.run(_serve(session, config, address))


async def _serve(session: Session, config: Config, address: Listen) -> None:
    from replicator.api.server import serve_http
    from replicator.api.v1.doorman import require_safe_address
    from replicator.api.v1.mounting import api_routes, say_who_may_ask
    from replicator.api.watching import watch
    from replicator.office import open_office
    from replicator.telemetry.logging import set_up_logs

    set_up_logs(verbose=session.verbosity > 0)
    has_key = bootstrap.secret_keys(config) is not None
    require_safe_address(*address, has_key=has_key)
    stop = _stop_on_signals()
    async with AsyncExitStack() as everything:
        served = await everything.enter_async_context(bootstrap.open_serving(config))
        await served.rulebook.bring_in()
        office = await everything.enter_async_context(open_office(config, served))
        application = watch(served, lambda: datetime.now(UTC), api_routes(office, address.host))
        async with serve_http(application, *address) as listening:
            about = {"version": __version__, "database": served.database.name, "on": listening}
            _log.info("serving", extra=about)
            await say_who_may_ask(office, address.host)
            await served.serving.run(stop, grace=config.service.grace.total_seconds())
            served.live.close()
    _log.info("stopped")


def _stop_on_signals() -> asyncio.Event:
    """Return what the first SIGTERM or Ctrl-C sets; the second one ends the process."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def heed(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        _log.info("stopping", extra={"signal": signal.Signals(number).name})
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, heed, number)
    return stop
