"""Signing in at a provider: where the browser is sent, and what happens when it comes back."""

from __future__ import annotations

import base64
import binascii
import logging
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from replicator.api.v1.problems import meaning_of
from replicator.errors import (
    AccessDenied,
    ConfigError,
    NotAuthenticated,
    ProviderUnavailable,
    ReplicatorError,
)
from replicator.oidc.attempt import Attempt
from replicator.page.cookie import ATTEMPT, SESSION
from replicator.page.signing import inside, open_session, sign_in_form
from replicator.page.site import Site

if TYPE_CHECKING:
    from replicator.oidc.login import OidcLogin

_log = logging.getLogger(__name__)

# Characters of an address within the page; who was at a longer one begins with the first screen.
_LONGEST: Final = 1000
_REFUSALS: Final = (AccessDenied, ConfigError, ProviderUnavailable)


class OidcScreen:
    """Takes people to the provider, and begins a session of who comes back from it.

    Begun by a link and not by a form: the policy of the page lets forms go nowhere else. It changes
    nothing here, and only the browser that began can end it.
    """

    def __init__(self, site: Site) -> None:
        self._site = site

    async def begin(self, request: Request) -> Response:
        back, attempt = inside(request.query_params.get("next", "")), Attempt.new()
        try:
            login = self._login()
            answer = RedirectResponse(await login.begin(attempt), 303)
        except _REFUSALS as error:
            return await self._refused(request, back, error)
        ATTEMPT.set(answer, _written(attempt, back), secure=login.settings.is_secure)
        return answer

    async def finish(self, request: Request) -> Response:
        attempt, back = _read(ATTEMPT.read(request) or "")
        try:
            if attempt is None:
                raise NotAuthenticated(
                    "this browser has begun no sign-in, or too long ago; begin to sign in anew"
                )
            login = self._login()
            known = await login.finish(attempt, dict(request.query_params))
        except _REFUSALS as error:
            return await self._refused(request, back, error)
        about = {
            "issuer": login.settings.issuer,
            "subject": known.subject,
            "role": known.identity.role.value,
        }
        answer = RedirectResponse(back, 303)
        secret = await open_session(self._site, request, known.identity, token=None, about=about)
        SESSION.set(answer, secret, secure=login.settings.is_secure)
        ATTEMPT.clear(answer)
        return answer

    def _login(self) -> OidcLogin:
        login = self._site.office.login
        if login is None:
            raise ConfigError("no provider of logins is configured here; sign in with a token")
        return login

    async def _refused(self, request: Request, back: str, error: ReplicatorError) -> Response:
        """Say what is wrong where another try begins; what was under way is over."""
        login = self._site.office.login
        issuer = "" if login is None else login.settings.issuer
        # Who may not sign in can tell it to nobody but those who read this.
        _log.warning("sign-in failed", extra={"issuer": issuer, "error": str(error)})
        status, _ = meaning_of(error)
        answer = await sign_in_form(self._site, request, status, back=back, error=str(error))
        ATTEMPT.clear(answer)
        return answer


def _written(attempt: Attempt, back: str) -> str:
    """Return what the browser holds meanwhile: the attempt's secret, and where it was."""
    place = back if len(back) <= _LONGEST else "/"
    return f"{attempt.secret}.{base64.urlsafe_b64encode(place.encode()).decode()}"


def _read(held: str) -> tuple[Attempt | None, str]:
    """Read what a browser holds; whatever it is, it leads nowhere but to the page."""
    secret, _, place = held.partition(".")
    attempt = Attempt(secret)
    try:
        back = base64.urlsafe_b64decode(place.encode()).decode()
    except (ValueError, binascii.Error):
        back = "/"
    return (attempt if attempt.is_one else None), inside(back)
