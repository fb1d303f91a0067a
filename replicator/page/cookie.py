"""The cookie by which a browser is known again."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from replicator.service.page_sessions import LONGEST

# Only who has the whole host, and only over TLS, can set a cookie of such a name.
_SECURE: Final = "__Host-replicate"
_PLAIN: Final = "replicate"


def read_cookie(request: Request) -> str | None:
    """Return what the browser holds, if anything."""
    return request.cookies.get(_SECURE) or request.cookies.get(_PLAIN)


def set_cookie(request: Request, response: Response, secret: str) -> None:
    """Let the browser hold *secret*.

    Whether it came over TLS only it knows, as a proxy may end that; it says so with each form.
    """
    secure = urlsplit(request.headers.get("origin", "")).scheme == "https"
    response.set_cookie(
        _SECURE if secure else _PLAIN,
        secret,
        max_age=int(LONGEST.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=secure,
    )


def clear_cookie(response: Response) -> None:
    """Let the browser forget it."""
    response.delete_cookie(_SECURE, httponly=True, samesite="lax", secure=True)
    response.delete_cookie(_PLAIN, httponly=True, samesite="lax")
