"""Provider: what a provider says of itself, and the keys that it signs with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import KeySet, import_key

from replicator.errors import ProviderUnavailable
from replicator.oidc import fetching
from replicator.oidc.origins import Origins
from replicator.oidc.settings import OidcSettings
from replicator.values import dataclass

_DISCOVERY: Final = "/.well-known/openid-configuration"
# What was read is believed for so long; a key that is not known is looked for at once.
_KEPT: Final = timedelta(hours=1)
# A secret that both know signs nothing that we believe.
_PUBLIC_KEYS: Final = frozenset({"RSA", "EC", "OKP"})


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where to ask what; *says_issuer* is whether its answers to browsers name it (RFC 9207)."""

    authorization: str
    token: str
    keys: str
    user_info: str
    end_session: str
    takes_basic: bool
    says_issuer: bool


class Provider:
    """Reads what the provider publishes, and keeps it for a while."""

    def __init__(self, settings: OidcSettings, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._clock = clock
        self._origins = Origins(settings.issuer, settings.origins)
        self._endpoints: tuple[datetime, Endpoints] | None = None
        self._keys: tuple[datetime, KeySet] | None = None

    async def endpoints(self) -> Endpoints:
        """Return where to ask what. Raises ProviderUnavailable."""
        if self._endpoints is None or self._is_old(self._endpoints[0]):
            found = await fetching.get(self._settings.issuer.rstrip("/") + _DISCOVERY)
            self._endpoints = self._clock(), self._read(found)
        return self._endpoints[1]

    async def keys(self, *, anew: bool = False) -> KeySet:
        """Return the keys that it signs with. Raises ProviderUnavailable."""
        if anew or self._keys is None or self._is_old(self._keys[0]):
            found = await fetching.get((await self.endpoints()).keys)
            self._keys = self._clock(), _public_keys(found)
        return self._keys[1]

    def _is_old(self, read_at: datetime) -> bool:
        return self._clock() - read_at >= _KEPT

    def _read(self, found: Mapping[str, Any]) -> Endpoints:
        issuer = self._settings.issuer
        if found.get("issuer") != issuer:
            raise ProviderUnavailable(
                f"{issuer} calls itself {str(found.get('issuer'))[:200]!r}; write its own name as "
                "issuer below [service.oidc], to the last slash"
            )
        ways = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return Endpoints(
            authorization=self._required(found, "authorization_endpoint"),
            token=self._required(found, "token_endpoint"),
            keys=self._required(found, "jwks_uri"),
            user_info=self._optional(found, "userinfo_endpoint"),
            end_session=self._optional(found, "end_session_endpoint"),
            takes_basic=isinstance(ways, list) and "client_secret_basic" in ways,
            says_issuer=found.get("authorization_response_iss_parameter_supported") is True,
        )

    def _required(self, found: Mapping[str, Any], name: str) -> str:
        url = self._optional(found, name)
        if not url:
            raise ProviderUnavailable(f"{self._settings.issuer} does not say its {name}")
        return url

    def _optional(self, found: Mapping[str, Any], name: str) -> str:
        url = found.get(name) or ""
        if url:
            self._origins.check(url, name)
        return str(url)


def _public_keys(found: Mapping[str, Any]) -> KeySet:
    """Return those keys that can be used; a provider may have others, for other purposes."""
    keys = []
    listed = found.get("keys")
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and each.get("kty") in _PUBLIC_KEYS and each.get("use") != "enc":
            try:
                keys.append(import_key(each))
            except (JoseError, ValueError, TypeError, KeyError):
                continue
    return KeySet(keys)
