"""Refusal: an error as the API answers it. (distribution-spec, "Error Codes")"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class Refusal(Exception):
    """Ends a request with *status* and one error for each of *details*. It stays in the server."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Sequence[Mapping[str, str] | None] = (None,),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.headers = headers

    def response(self) -> Response:
        errors = [
            {"code": self.code, "message": self.message, "detail": detail}
            for detail in self.details
        ]
        return JSONResponse({"errors": errors}, self.status, headers=self.headers)


async def answer_refusal(request: Request, refusal: Exception) -> Response:
    """Turn a Refusal raised by an endpoint into its answer."""
    assert isinstance(refusal, Refusal)  # noqa: S101
    return refusal.response()


async def answer_routing_error(request: Request, error: Exception) -> Response:
    """Give what no route takes the same kind of body as all other errors."""
    assert isinstance(error, HTTPException)  # noqa: S101
    code = "UNSUPPORTED" if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else "NOT_FOUND"
    return Refusal(error.status_code, code, error.detail, headers=error.headers).response()


async def answer_nobody(request: Request, error: Exception) -> Response:
    """End a request whose client went away; the status is the one that nginx logs for it."""
    return Response(status_code=499)
