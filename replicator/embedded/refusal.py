"""Refusal: an error as the API answers it. (distribution-spec, "Error Codes")"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

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


async def answer_refusal(request: Request, refusal: Any) -> Response:
    """Turn the Refusal that an endpoint raised into its answer."""
    response: Response = refusal.response()
    return response


async def answer_routing_error(request: Request, error: Any) -> Response:
    """Give what no route takes the same kind of body as all other errors."""
    code = "UNSUPPORTED" if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else "NOT_FOUND"
    return Refusal(error.status_code, code, error.detail, headers=error.headers).response()


async def answer_nobody(request: Request, error: Exception) -> Response:
    """End a request whose client went away; the status is the one that nginx logs for it."""
    return Response(status_code=499)
