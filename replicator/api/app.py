"""The application: is the service alive, is it ready, and what does it do?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from replicator.telemetry.health import Health
from replicator.telemetry.metrics import CONTENT_TYPE


def create_app(
    health: Health, metrics: Callable[[], Awaitable[bytes]], others: Sequence[BaseRoute] = ()
) -> Starlette:
    """Return the application; *metrics* gives them as text, *others* is what else it answers."""

    async def is_alive(request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def is_ready(request: Request) -> Response:
        troubles = await health.troubles()
        ready = not any(troubles.values())
        body = {
            "ready": ready,
            "parts": {part: trouble or "ok" for part, trouble in troubles.items()},
        }
        return JSONResponse(body, status_code=200 if ready else 503)

    async def show_metrics(request: Request) -> Response:
        return Response(await metrics(), media_type=CONTENT_TYPE)

    return Starlette(
        routes=[
            Route("/healthz", is_alive),
            Route("/readyz", is_ready),
            Route("/metrics", show_metrics),
            *others,
        ]
    )
