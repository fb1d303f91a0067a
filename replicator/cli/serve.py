"""``replicate serve``: rules, run on time until told to stop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from replicator.cli.groups import examples
from replicator.cli.session import session_of

if TYPE_CHECKING:
    from replicator.config import Config
    from replicator.config.values import Listen
    from replicator.service.scheduling.serving import Role

EXAMPLES: Final = examples(
    "replicate serve",
    "replicate --config rules.toml serve --listen 0.0.0.0:8080",
    "replicate serve --role scheduler --role api",
)


def serve(
    context: typer.Context,
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Where the page, /api/v1, /healthz, /readyz and /metrics answer, instead of what "
            "the configuration says or 127.0.0.1:8080. Port 0 is a free one.",
        ),
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE",
            help="What this process is for: api, scheduler, worker, or all, which is the default. "
            "May be given several times. With a database in a file it can only be all.",
        ),
    ] = None,
) -> None:
    """Run rules when they come due, and runs that others queue, until SIGTERM or Ctrl-C.

    Then nothing begins any more, copies under way have a moment to end, and what is unfinished
    goes on after the next start. A second signal ends it at once.
    """
    from replicator.cli.serving import serve_until_told

    session = session_of(context)
    config = session.config()
    serve_until_told(session, config, _address(listen, config), _roles(role or ()))


def _roles(names: Sequence[str]) -> frozenset[Role]:
    """Return the roles of these names; none if it is all."""
    from replicator.service.scheduling.serving import Role

    if not set(names) <= {*Role, "all"}:
        raise typer.BadParameter(
            f"a role is api, scheduler, worker or all, not {', '.join(names)}",
            param_hint="--role",
        )
    return frozenset() if "all" in names else frozenset(map(Role, names))


def _address(option: str | None, config: Config) -> Listen:
    from replicator.config import values

    return config.service.listen if option is None else values.listen(option, "--listen")
