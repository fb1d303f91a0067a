"""How the service runs in this process, and how it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from replicator import __version__, bootstrap
from replicator.cli.memory import collect_often, give_back_often, limit_arenas
from replicator.cli.session import Session
from replicator.cli.text import seconds_text

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from replicator.bootstrap import Served
    from replicator.config import Config
    from replicator.config.values import Listen
    from replicator.service.processes.probes import Probes
    from replicator.service.scheduling.serving import Role

_log = logging.getLogger("replicator")

# Where a service that listens everywhere is reached from its own machine.
_NEAREST: Final = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - it is not listened on


def serve_until_told(
    session: Session,
    config: Config,
    address: Listen,
    roles: Collection[Role] = (),
    *,
    probes: Probes | None = None,
) -> None:
    """Serve rules, and answer at *address*, until SIGTERM or Ctrl-C."""
    limit_arenas()
    with asyncio.Runner(loop_factory=bootstrap.new_event_loop) as runner:
        runner.run(_serve(session, config, address, roles, probes))


async def _serve(
    session: Session,
    config: Config,
    address: Listen,
    roles: Collection[Role],
    probes: Probes | None,
) -> None:
    from replicator.api.server import serve_http
    from replicator.api.v1.doorman import require_safe_address
    from replicator.api.v1.mounting import api_routes, say_who_may_ask
    from replicator.api.watching import watch
    from replicator.office import open_office
    from replicator.page.app import page_routes
    from replicator.service.scheduling.serving import Role
    from replicator.telemetry.logging import set_up_logs

    set_up_logs(verbose=session.verbosity > 0)
    answers = not roles or Role.API in roles
    if answers:
        require_safe_address(*address, has_login=_has_login(config))
    grace = config.service.grace.total_seconds()
    stop = _stop_on_signals(grace)
    async with AsyncExitStack() as everything:
        served = await everything.enter_async_context(
            bootstrap.open_serving(config, roles, probes=probes)
        )
        await served.rulebook.bring_in()
        if not roles or Role.WORKER in roles:
            await _warn_of_logins(config, served)
        routes: Sequence[BaseRoute] = ()
        if answers:
            office = await everything.enter_async_context(open_office(config, served))
            routes = [*api_routes(office, address.host), *page_routes(office, address.host)]
            await say_who_may_ask(office, address.host)
        application = watch(served, served.database.clock, routes)
        async with serve_http(application, *address) as listening:
            about = {
                "version": __version__,
                "database": served.database.name.removeprefix("database "),
                "on": listening,
                "roles": sorted(role.value for role in served.roles),
            }
            if answers:
                about["page"] = _page(listening)
            collect_often()
            give_back_often(asyncio.get_running_loop())
            _log.info("serving", extra=about)
            await served.serving.run(stop, grace=grace)
            served.live.close()
    _log.info("stopped")


async def _warn_of_logins(config: Config, served: Served) -> None:
    """Tell now what would fail at night; a secret may still come, so it is no error yet."""
    whole = await bootstrap.with_kept_registries(config, served.database)
    for error in await bootstrap.unreadable_logins(whole):
        _log.warning("login cannot be used", extra={"error": error})


def _has_login(config: Config) -> bool:
    """Say whether anybody can be known: by a token, or by whom a provider signs in."""
    return bootstrap.secret_keys(config) is not None or config.service.oidc is not None


def _page(address: str) -> str:
    """Return where somebody at this machine finds the page."""
    host, _, port = address.rpartition(":")
    return f"http://{_NEAREST.get(host, host)}:{port}/"


def _stop_on_signals(grace: float) -> asyncio.Event:
    """Return what the first SIGTERM or Ctrl-C sets; the second one ends the process.

    Copies under way get *grace* seconds to end.
    """
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def heed(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        text = (
            f"copies under way get {seconds_text(grace)} to end; a second signal ends them at once"
        )
        _log.info("stopping", extra={"signal": signal.Signals(number).name, "text": text})
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, heed, number)
    return stop
