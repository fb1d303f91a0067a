"""EntraExchange: from a token of Entra ID to the identity token of one of Azure's registries.

(Azure/acr, "AAD-OAuth.md", "Calling POST /oauth2/exchange")
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Final
from urllib.parse import urlencode

import httpx

from replicator.errors import RegistryUnavailable, ReplicatorError, Unauthorized
from replicator.registry.answers import Answer, Attempt, json_object, not_a_registry
from replicator.registry.claims import claims_of
from replicator.registry.cloud.loan import Loan, Refusals
from replicator.registry.exchange import Send, exchange
from replicator.registry.gate import Gate
from replicator.registry.keychain import Keychain
from replicator.registry.retry import Clock
from replicator.registry.settings import Credentials

# The user that an identity token of Azure's stands for where a password is wanted.
_USER: Final = "00000000-0000-0000-0000-000000000000"
# In seconds, where a token does not say how long it is good; they are for three hours.
_LIFE: Final = 3600.0


class EntraExchange:
    """A keychain that exchanges tokens of Entra ID for what the registry takes.

    All other credentials pass unchanged. The token goes to the registry itself and nowhere else.
    """

    def __init__(self, keychain: Keychain, gate: Gate, send: Send, *, clock: Clock) -> None:
        self._keychain = keychain
        self._gate = gate
        self._send = send
        self._clock = clock
        self._exchanged: dict[str, Loan] = {}
        self._refusals: defaultdict[str, Refusals] = defaultdict(Refusals)
        self._exchanging = asyncio.Lock()

    async def credentials_for(self, registry: str) -> Credentials | None:
        """Return the credentials. Raises Unauthorized if the registry refuses the token."""
        credentials = await self._keychain.credentials_for(registry)
        if credentials is None or not credentials.entra_token:
            return credentials
        async with self._exchanging:
            now, refusals = self._clock.now(), self._refusals[registry]
            if registry not in self._exchanged or self._exchanged[registry].is_due(now):
                refusals.raise_recent(now)
                try:
                    self._exchanged[registry] = await self._exchange(credentials.entra_token)
                except ReplicatorError as error:
                    refusals.note(error, now)
                    raise
            return self._exchanged[registry].credentials

    async def _exchange(self, token: str) -> Loan:
        registry = self._gate.registry
        attempt = Attempt(registry, registry, "POST /oauth2/exchange")
        form = {"grant_type": "access_token", "service": registry, "access_token": token}
        if isinstance(tenant := claims_of(token).get("tid"), str):
            form["tenant"] = tenant
        request = httpx.Request(
            "POST",
            f"{self._gate.origin}/oauth2/exchange",
            content=urlencode(form).encode("ascii"),
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "Accept-Encoding": "identity",
            },
        )
        return self._read(await exchange(self._send, self._gate, request, attempt), attempt)

    def _read(self, answer: Answer, attempt: Attempt) -> Loan:
        if answer.status in (401, 403):
            raise Unauthorized(
                f"{attempt}: {answer.status}; the identity that Azure gave us may not use it",
                status=answer.status,
                registry=self._gate.registry,
            )
        if answer.status != 200:
            raise RegistryUnavailable(
                f"{attempt}: {answer.status}", status=answer.status, registry=self._gate.registry
            )
        token = json_object(answer, attempt).get("refresh_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise not_a_registry(answer, attempt, "JSON that holds no token")
        return Loan(Credentials(_USER, identity_token=token), self._end(token))

    def _end(self, token: str) -> float:
        ends = claims_of(token).get("exp")
        return float(ends) if isinstance(ends, int | float) else self._clock.now() + _LIFE
