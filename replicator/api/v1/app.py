"""The application of the API."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.types import ASGIApp

from replicator import __version__
from replicator.api.v1 import (
    audit,
    credentials,
    events,
    registries,
    rules,
    runs,
    status,
    tags,
    tokens,
)
from replicator.api.v1.access import refuse_unknown_query
from replicator.api.v1.gate import Doorman, Gate
from replicator.api.v1.problems import MEDIA_TYPE, Problem, answer_with_problems
from replicator.office import Office

PREFIX = "/api/v1"
_ROUTERS = tuple(
    each.router
    for each in (rules, runs, events, status, registries, credentials, tags, audit, tokens)
)


def create_api(office: Office, doorman: Doorman) -> ASGIApp:
    """Return what answers below /api/v1; *doorman* finds out who asks."""
    return Gate(_application(office), doorman)


def openapi() -> dict[str, Any]:
    """Return the document that describes the API."""
    return _application(None).openapi()


def _application(office: Office | None) -> FastAPI:
    app = FastAPI(
        title="replicate",
        version=__version__,
        # The pages that FastAPI has for its document load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(refuse_unknown_query)],
    )
    for router in _ROUTERS:
        app.include_router(router)
    app.state.office = office
    answer_with_problems(app)
    app.openapi = lambda: _describe(app)  # type: ignore[method-assign]
    return app


def _describe(app: FastAPI) -> dict[str, Any]:
    """Return FastAPI's document, with our errors instead of its own, and how to log in."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(
        title=app.title,
        version=app.version,
        description="Rules, runs and registries of a service that keeps containers in step.",
        routes=app.routes,
        servers=[{"url": PREFIX}],
    )
    error = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = {
                "description": "What is wrong",
                "content": {MEDIA_TYPE: error},
            }
    components = document["components"]
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    components["schemas"]["Problem"] = Problem.model_json_schema()
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"token": []}]
    app.openapi_schema = document
    return document
