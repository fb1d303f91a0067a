"""Cookies: by which a browser is known again, and by which a sign-in at a provider is."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from replicator.service.access.page_sessions import LONGEST
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie of this host alone, which no script reads."""

    name: str
    lifetime: timedelta

    def read(self, request: Request) -> str | None:
        """Return what the browser holds, if anything."""
        return request.cookies.get(self._secure_name) or request.cookies.get(self.name)

    def set(self, response: Response, value: str, *, secure: bool) -> None:
        """Let the browser hold *value*, and where that is *secure* show it over TLS only."""
        response.set_cookie(
            self._secure_name if secure else self.name,
            value,
            max_age=int(self.lifetime.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=secure,
        )

    def clear(self, response: Response) -> None:
        """Let the browser forget it."""
        response.delete_cookie(self._secure_name, httponly=True, samesite="lax", secure=True)
        response.delete_cookie(self.name, httponly=True, samesite="lax")

    @property
    def _secure_name(self) -> str:
        # Only who has the whole host, and only over TLS, can set a cookie of such a name.
        return f"__Host-{self.name}"


SESSION: Final = Cookie("replicate", LONGEST)
# For as long as it may take somebody to show the provider who they are.
ATTEMPT: Final = Cookie("replicate-sign-in", timedelta(minutes=15))


def came_over_tls(request: Request) -> bool:
    """Say whether a form came over TLS. A proxy may end that, and only the browser knows: it says
    so with each form."""
    return urlsplit(request.headers.get("origin", "")).scheme == "https"
