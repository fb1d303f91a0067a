"""Front: a vendor's own paths, before the registry's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp

from tests.support.faults import Faults


def before(routes: Sequence[BaseRoute], faults: Faults) -> Callable[[ASGIApp], ASGIApp]:
    """Return a wrap for EmbeddedRegistry that answers *routes* and leaves the rest to it.

    *faults* come before both.
    """

    def wrap(app: ASGIApp) -> ASGIApp:
        front = Starlette(routes=[*routes, Mount("/", app)])
        front.router.redirect_slashes = False
        return faults(front)

    return wrap
