"""``replicate serve``: rules, run on time until told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from replicator import __version__, bootstrap
from replicator.cli.groups import examples
from replicator.cli.session import Session, session_of

if TYPE_CHECKING:
    from replicator.config import Config
    from replicator.config.values import Listen

EXAMPLES: Final = examples(
    "replicate serve",
    "replicate --config rules.toml serve --listen 0.0.0.0:8080",
)
_log = logging.getLogger("replicator")


def serve(
    context: typer.Context,
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Where /healthz, /readyz and /metrics answer, instead of what the configuration "
            "says or 127.0.0.1:8080. Port 0 is a free one.",
        ),
    ] = None,
) -> None:
    """Run rules when they come due, and runs that others queue, until SIGTERM or Ctrl-C.

    Then nothing begins any more, copies under way have a moment to end, and what is unfinished
    goes on after the next start. A second signal ends it at once.
    """
    session = session_of(context)
    config = session.config()
    with asyncio.Runner(loop_factory=bootstrap.new_event_loop) as runner:
        runner.run(_serve(session, config, _address(listen, config)))


def _address(option: str | None, config: Config) -> Listen:
    from replicator.config import values

    return config.service.listen if option is None else values.listen(option, "--listen")


async def _serve(session: Session, config: Config, address: Listen) -> None:
    from replicator.api.server import serve_http
    from replicator.api.watching import watch
    from replicator.telemetry.logging import set_up_logs

    set_up_logs(verbose=session.verbosity > 0)
    stop = _stop_on_signals()
    async with bootstrap.open_serving(config) as served:
        await served.rulebook.bring_in()
        application = watch(served, lambda: datetime.now(UTC))
        async with serve_http(application, *address) as listening:
            about = {"version": __version__, "database": served.database.name, "on": listening}
            _log.info("serving", extra=about)
            await served.serving.run(stop, grace=config.service.grace.total_seconds())
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
