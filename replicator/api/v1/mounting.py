"""Where the API is in the application of a service."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Final

from starlette.routing import BaseRoute, Mount, Route

from replicator.api.v1.app import PREFIX, create_api
from replicator.api.v1.doorman import doorman, is_loopback
from replicator.api.v1.problems import problem
from replicator.office import NO_KEY, Office

_log = logging.getLogger(__name__)

# For programs that have no version of the API in their address, or another one.
_NOTHING: Final = problem(404, "not_found", "Not Found", f"the API is below {PREFIX}")


def api_routes(office: Office, listening_on: str) -> Sequence[BaseRoute]:
    """Return the routes of the API for a service that listens on an address of this machine."""
    knows = doorman(office, listening_on)
    mount = Mount(PREFIX, create_api(office, knows))
    # Or a path with a line feed would not be ours, and be answered in other words.
    mount.path_regex = re.compile(mount.path_regex.pattern, re.DOTALL)
    return [mount, Route("/api", _NOTHING), Mount("/api", _NOTHING)]


async def say_who_may_ask(office: Office, listening_on: str) -> None:
    """Say in the log who can use the API, where that is not everybody who shows a token."""
    if await office.asks_who():
        if await office.lacks_key():
            _log.warning("nobody may use the API: %s", NO_KEY)
        return
    if is_loopback(listening_on):
        _log.warning(
            "everybody on this machine may use the API; `replicate token create` makes the first "
            "token, and then everybody needs one"
        )
    else:
        _log.warning("nobody may use the API yet; `replicate token create` makes the first token")
