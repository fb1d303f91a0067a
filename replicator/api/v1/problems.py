"""Problem details (RFC 9457): every error of the API, with a code that stays the same."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route

from replicator import errors
from replicator.api.v1.complaints import complaints

_log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
_WRONG: Final = "Something in the request is not what it should be"

# What an error means to whoever asked; the first that fits counts.
_STATUS: Final[tuple[tuple[type[errors.ReplicatorError], int, str], ...]] = (
    (errors.NotAuthenticated, 401, "Who asks is not known"),
    (errors.AccessDenied, 403, "Not allowed"),
    (errors.RuleNotFound, 404, "There is no such rule"),
    (errors.RunNotFound, 404, "There is no such run"),
    (errors.RegistryNotFound, 404, "There is no such registry"),
    (errors.CredentialNotFound, 404, "There is no such credential"),
    (errors.TokenNotFound, 404, "There is no such token"),
    (errors.RuleConflict, 409, "The rule was changed, or is in conflict with another"),
    (errors.RunActive, 409, "The rule has a run already"),
    (errors.RunFinished, 409, "The run is over"),
    (errors.NameTaken, 409, "The name is taken"),
    (errors.InvalidValue, 422, _WRONG),
    (errors.ConfigError, 422, "This cannot be used"),
    (errors.RegistryError, 502, "The registry did not do what was asked"),
    (errors.ProviderUnavailable, 502, "The provider of logins cannot be asked now"),
    (errors.StoreError, 503, "The database cannot be used now"),
)
_FIELD: Final = re.compile(
    r'(?:rule "[^"]*": |rules\[\d+\]: |^registries\."[^"]*"\.)([a-z_][a-z_.\[\]0-9]*): '
)
_CODES: Final = {404: "not_found", 405: "method_not_allowed"}


class Problem(BaseModel):
    """What is wrong. `code` stays the same from version to version; `detail` is for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str = ""
    field: str | None = None


def problem(
    status: int,
    code: str,
    title: str,
    detail: str = "",
    *,
    field: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the answer that says what is wrong."""
    said = Problem(
        type=f"urn:replicate:problem:{code}",
        title=title,
        status=status,
        code=code,
        detail=detail,
        field=field,
    )
    body = said.model_dump(exclude_none=True)
    return Response(json.dumps(body), status, headers, media_type=MEDIA_TYPE)


def problem_of(error: errors.ReplicatorError) -> Response:
    """Return the answer for an error of ours."""
    status, title = meaning_of(error)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    field = getattr(error, "field", None) or _field_in(str(error))
    return problem(status, error.kind, title, str(error), field=field, headers=headers)


def meaning_of(error: errors.ReplicatorError) -> tuple[int, str]:
    """Return what an error of ours means to whoever asked: a status, and words for it."""
    for kind, status, title in _STATUS:
        if isinstance(error, kind):
            return status, title
    return 500, "The service failed"


def answer_with_problems(app: FastAPI) -> None:
    """Let *app* answer with problems for whatever goes wrong."""

    async def ours(request: Request, error: Exception) -> Response:
        if not isinstance(error, errors.ReplicatorError):
            raise error
        return problem_of(error)

    async def not_understood(request: Request, error: Exception) -> Response:
        found = error.errors() if isinstance(error, RequestValidationError) else []
        return _not_understood(request, found)

    async def of_http(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        if status == 400:
            # FastAPI could not even begin to read it: it is not UTF-8, or nested without end.
            return _no_json()
        title = error.detail if isinstance(error, HTTPException) else ""
        headers = error.headers if isinstance(error, HTTPException) else None
        allowed = _methods(app, request) if status == 405 else ()
        if allowed:
            headers = {"Allow": ", ".join(allowed)}
        code, detail = _CODES.get(status, f"http_{status}"), _of_http(request, status, allowed)
        return problem(status, code, title, detail, headers=headers)

    async def unexpected(request: Request, error: Exception) -> Response:
        # What it is goes into the log, where nobody from outside reads it.
        _log.error("request failed", exc_info=error, extra={"path": request.url.path})
        return problem(500, "internal", "The service failed", "its log says why")

    app.add_exception_handler(errors.ReplicatorError, ours)
    app.add_exception_handler(RequestValidationError, not_understood)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(Exception, unexpected)


def _methods(app: FastAPI, request: Request) -> Sequence[str]:
    """Return all methods of a path; Starlette names those of the first route that matches.

    As in the document, ``/rules/plan`` is a path of its own, although a rule may have that name.
    """
    matches = [
        route
        for route in _routes(app)
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
    ]
    same = (route.methods or () for route in matches if route.path == matches[0].path)
    return sorted({method for methods in same for method in methods})


def _routes(app: FastAPI) -> Iterator[BaseRoute]:
    """Yield all routes, those of routers that were included as well."""
    for each in app.routes:
        router = getattr(each, "original_router", None)
        yield from (each,) if router is None else router.routes


def _not_understood(request: Request, found: Sequence[Any]) -> Response:
    """Name all that is wrong; what was sent is not repeated, it may be a secret."""
    if not found:
        return problem(422, "invalid_request", _WRONG)
    first = found[0]
    if first["loc"] == ("path", "run"):
        # Only what looks like the id of a run is worth a look into the database.
        return problem_of(errors.RunNotFound("there is no such run; see GET /runs"))
    if first["type"] == "json_invalid":
        return _no_json(_stop(first))
    if first["loc"] == ("body",) and "json" not in request.headers.get("content-type", ""):
        detail = "body: say that it is JSON, by Content-Type: application/json"
        return problem(422, "invalid_request", _WRONG, detail, field="body")
    said = complaints(found, _body_of(request))
    detail = "; ".join(sentence for _, sentence in said)
    return problem(422, "invalid_request", _WRONG, detail, field=said[0][0])


def _no_json(stop: str = "") -> Response:
    return problem(422, "invalid_json", _WRONG, f"the body is no JSON{stop}", field="body")


def _stop(found: Mapping[str, Any]) -> str:
    """Say where a body stops to be JSON, and why; what stands there is not repeated."""
    reason, place = found.get("ctx", {}).get("error"), found["loc"][-1]
    return f": {reason}, at character {place + 1}" if reason and isinstance(place, int) else ""


def _body_of(request: Request) -> Any:
    """Return the model of the body that a route takes; None if it takes none."""
    taken = getattr(request.scope.get("route"), "body_field", None)
    return None if taken is None else taken.field_info.annotation


def _of_http(request: Request, status: int, allowed: Sequence[str]) -> str:
    """Say what to do about an answer that is about no field."""
    if status == 404:
        return "there is nothing under this path; /api/v1/openapi.json lists all there are"
    if status == 405:
        return f"{request.method} is not for this path; it takes {', '.join(allowed)}"
    return ""


def _field_in(message: str) -> str | None:
    """Return the field of a rule or a registry that *message* names."""
    found = _FIELD.search(message)
    return found[1] if found else None
