"""The API as an application: which path and method leads to which endpoint."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from replicator.embedded.blobs import BlobAnswer, Blobs
from replicator.embedded.guard import Auth, Guard
from replicator.embedded.lists import Lists
from replicator.embedded.manifests import Manifests
from replicator.embedded.refusal import (
    Refusal,
    answer_nobody,
    answer_refusal,
    answer_routing_error,
)
from replicator.embedded.storage import Storage
from replicator.embedded.uploads import Uploads

_Endpoint: TypeAlias = Callable[[Request], Awaitable[Response | BlobAnswer]]


def create_app(storage: Storage, auth: Auth | None = None) -> ASGIApp:
    """Build the application that serves *storage* to whomever *auth* lets in."""
    app = Starlette(
        routes=[*_api(storage), *(auth.routes if auth else ())],
        exception_handlers={
            Refusal: answer_refusal,
            HTTPException: answer_routing_error,
            ClientDisconnect: answer_nobody,
        },
    )
    app.router.redirect_slashes = False
    return Guard(app, auth) if auth else app


def _api(storage: Storage) -> list[BaseRoute]:
    manifests, blobs = Manifests(storage), Blobs(storage)
    uploads, lists = Uploads(storage), Lists(storage)
    return [
        _route(
            "/v2/{name:path}/manifests/{reference}",
            HEAD=manifests.head,
            GET=manifests.get,
            PUT=manifests.put,
            DELETE=manifests.delete,
        ),
        _route(
            "/v2/{name:path}/blobs/{digest}",
            HEAD=blobs.head,
            GET=blobs.get,
            DELETE=blobs.delete,
        ),
        _route("/v2/{name:path}/blobs/uploads/", POST=uploads.start),
        _route(
            "/v2/{name:path}/blobs/uploads/{id}",
            GET=uploads.status,
            HEAD=uploads.status,
            PATCH=uploads.append,
            PUT=uploads.finish,
            DELETE=uploads.cancel,
        ),
        _route("/v2/{name:path}/tags/list", GET=lists.tags, HEAD=lists.tags),
        _route("/v2/{name:path}/referrers/{digest}", GET=lists.referrers, HEAD=lists.referrers),
        _route("/v2/_catalog", GET=lists.catalog, HEAD=lists.catalog),
        _route("/v2/", GET=_ping, HEAD=_ping),
        _route("/v2", GET=_ping, HEAD=_ping),
    ]


def _route(path: str, **endpoints: _Endpoint) -> Route:
    """One route for all methods of a path, so that the answer to another method lists them."""

    async def dispatch(request: Request) -> Response | BlobAnswer:
        return await endpoints[request.method](request)

    return Route(path, dispatch, methods=list(endpoints))


async def _ping(request: Request) -> Response:
    headers = {"Docker-Distribution-Api-Version": "registry/2.0"}
    return Response(b"{}", media_type="application/json", headers=headers)
