"""OidcLogin: leads people to the provider, and finds out who comes back.

The authorization code flow with PKCE (OpenID Connect Core, section 3.1).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from replicator.errors import NotAuthenticated, ProviderUnavailable
from replicator.oidc import fetching, granting, id_token
from replicator.oidc.attempt import Attempt
from replicator.oidc.provider import Endpoints, Provider
from replicator.oidc.settings import OidcSettings
from replicator.service.access.identity import Identity
from replicator.values import dataclass

_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Known:
    """Who has signed in, and what the provider calls them for good, for the audit."""

    identity: Identity
    subject: str


class OidcLogin:
    """Signs people in at one provider. *environment* is where the client's secret may be."""

    def __init__(
        self,
        settings: OidcSettings,
        environment: Mapping[str, str],
        clock: Callable[[], datetime],
    ) -> None:
        self.settings = settings
        self._environment = environment
        self._clock = clock
        self._provider = Provider(settings, clock)

    async def begin(self, attempt: Attempt) -> str:
        """Return where at the provider to send the browser. Raises ProviderUnavailable."""
        endpoints, settings = await self._provider.endpoints(), self.settings
        return _with_query(
            endpoints.authorization,
            response_type="code",
            client_id=settings.client_id,
            redirect_uri=settings.callback,
            scope=" ".join(settings.scopes),
            state=attempt.state,
            nonce=attempt.nonce,
            code_challenge=attempt.challenge,
            code_challenge_method="S256",
        )

    async def finish(self, attempt: Attempt, answer: Mapping[str, str]) -> Known:
        """Return who came back with *answer*, the parameters of the callback's address.

        Raises NotAuthenticated, AccessDenied for whom nothing is granted, ProviderUnavailable,
        and ConfigError when the client's secret cannot be read.
        """
        endpoints = await self._provider.endpoints()
        _check_answer(attempt, answer, self.settings.issuer, says_issuer=endpoints.says_issuer)
        given = await self._redeem(endpoints, attempt, answer["code"])
        claims = await self._claims(given, attempt)
        if granting.lacks(claims, self.settings) and endpoints.user_info:
            claims = await _with_user_info(endpoints, given, claims)
        return Known(granting.identity_of(claims, self.settings), claims["sub"])

    async def leaving(self) -> str:
        """Return where to sign out at the provider as well; empty if it has no such place.

        What cannot be asked now is left out: who signs out here has done so.
        """
        try:
            endpoints = await self._provider.endpoints()
        except ProviderUnavailable:
            return ""
        if not endpoints.end_session:
            return ""
        return _with_query(
            endpoints.end_session,
            client_id=self.settings.client_id,
            post_logout_redirect_uri=f"{self.settings.url}/sign-in",
        )

    async def _redeem(self, endpoints: Endpoints, attempt: Attempt, code: str) -> Mapping[str, Any]:
        """Exchange the code for tokens; the verifier shows that we are who asked for it."""
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.settings.callback,
            "code_verifier": attempt.verifier,
        }
        client, secret = (
            self.settings.client_id,
            self.settings.client_secret.read(self._environment),
        )
        login = None
        if secret and endpoints.takes_basic:
            # RFC 6749, section 2.3.1: both as a form would have them.
            login = quote_plus(client), quote_plus(secret)
        else:
            fields |= {"client_id": client, **({"client_secret": secret} if secret else {})}
        status, given = await fetching.post(endpoints.token, fields, login)
        if status != 200:
            raise NotAuthenticated(
                f"the provider gives no tokens ({status}): {_said(given)}; begin to sign in anew"
            )
        return given

    async def _claims(self, given: Mapping[str, Any], attempt: Attempt) -> Mapping[str, Any]:
        token = given.get("id_token")
        try:
            verified = id_token.verify(token, await self._provider.keys())
        except id_token.UnknownKey:
            try:
                verified = id_token.verify(token, await self._provider.keys(anew=True))
            except id_token.UnknownKey:
                raise NotAuthenticated(
                    "no key of the provider has signed its ID token; begin to sign in anew"
                ) from None
        return id_token.check(
            verified,
            self.settings,
            nonce=attempt.nonce,
            access_token=given.get("access_token"),
            now=self._clock(),
        )


def _check_answer(
    attempt: Attempt, answer: Mapping[str, str], issuer: str, *, says_issuer: bool
) -> None:
    """Raise NotAuthenticated unless *answer* is the provider's to this very attempt."""
    if not hmac.compare_digest(answer.get("state", "").encode(), attempt.state.encode()):
        raise NotAuthenticated(
            "this answer is not to what this browser asked; it may have begun again in another "
            "window meanwhile: begin to sign in anew"
        )
    if answer.get("iss", None if says_issuer else issuer) != issuer:
        raise NotAuthenticated("this answer is from another provider; begin to sign in anew")
    if answer.get("error"):
        raise NotAuthenticated(f"the provider signs nobody in: {_said(answer)}")
    if not answer.get("code"):
        raise NotAuthenticated("the provider's answer has no code; begin to sign in anew")


async def _with_user_info(
    endpoints: Endpoints, given: Mapping[str, Any], claims: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Add what the provider says elsewhere; the token goes before it, and it has to be of the
    same person."""
    found = await fetching.get(endpoints.user_info, bearer=str(given.get("access_token", "")))
    if found.get("sub") != claims["sub"]:
        raise NotAuthenticated("the provider tells of somebody else; begin to sign in anew")
    return {**found, **claims}


def _said(answer: Mapping[str, Any]) -> str:
    """Return a provider's words for what is wrong: a few, and nothing but words."""
    text = str(answer.get("error_description") or answer.get("error") or "it does not say why")
    return "".join(each if each.isprintable() else " " for each in text[:_SHOWN])


def _with_query(url: str, **parameters: str) -> str:
    """Add parameters to an address, which may have some of its own."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}"
