"""Where registries say that something was pushed: ``POST /webhooks/REGISTRY[/SECRET]``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from replicator.api.v1.problems import problem, problem_of
from replicator.errors import ConfigError, InvalidValue, StoreError
from replicator.service.hooks.desk import HookDesk
from replicator.service.hooks.secret import is_authentic

_log = logging.getLogger(__name__)

# In bytes; GitHub's are the longest.
_LARGEST: Final = 1024 * 1024

_TOO_LARGE: Final = problem(
    413, "body_too_large", "The body is too large", f"a notice has at most {_LARGEST} bytes"
)
_NOTHING_TAKEN: Final = problem(
    404, "not_found", "Not Found", "no notices are taken here, or the secret is not right"
)
# Why is for the log: who sends a notice need not know what is wrong with our settings.
_NOT_NOW: Final = problem(503, "store", "The notice cannot be taken now")


def webhook_routes(desk: HookDesk, secrets: Callable[[str], Sequence[str]]) -> list[Route]:
    """Return the routes; *secrets* are those of a registry, by its name. Raises ConfigError when
    they cannot be read."""

    async def take(request: Request) -> Response:
        registry = request.path_params["registry"]
        body = await _body(request)
        if body is None:
            return _TOO_LARGE
        headers = {name.lower(): value for name, value in request.headers.items()}
        shown = request.path_params.get("secret", "")
        try:
            known = secrets(registry)
            # A registry that is not known, and one that shows no right secret, look the same.
            if not is_authentic(headers, body, known, in_path=shown):
                return _NOTHING_TAKEN
            marked = await desk.take(registry, headers, body)
        except InvalidValue as error:
            return problem_of(error)
        except (ConfigError, StoreError) as error:
            _log.error("notice not taken", extra={"registry": registry, "error": str(error)})
            return _NOT_NOW
        # Also when it is about nothing of ours: some send again until they hear 2xx.
        return JSONResponse({"marked": marked}, status_code=202)

    return [
        Route("/webhooks/{registry}", take, methods=["POST"]),
        Route("/webhooks/{registry}/{secret}", take, methods=["POST"]),
    ]


async def _body(request: Request) -> bytes | None:
    """Read the body; None when it is too large."""
    received = bytearray()
    try:
        async for part in request.stream():
            received += part
            if len(received) > _LARGEST:
                return None
    except ClientDisconnect:
        return b""
    return bytes(received)
