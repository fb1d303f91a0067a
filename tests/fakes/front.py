"""Front: a vendor's own paths, before the registry's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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


def without_referrers(app: ASGIApp) -> ASGIApp:
    """Take the referrers API away, and what an answer to a push says of it."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if "/referrers/" in scope["path"]:
            await PlainTextResponse("404 page not found", 404)(scope, receive, send)
            return

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [each for each in message["headers"] if each[0].lower() != b"oci-subject"]
                message["headers"] = kept
            await send(message)

        await app(scope, receive, say)

    return wrapped


def without_mounts(app: ASGIApp) -> ASGIApp:
    """Answer a mount with a session, as if it had been asked for nothing else."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["query_string"].startswith(b"mount="):
            scope = {**scope, "query_string": b""}
        await app(scope, receive, send)

    return wrapped
