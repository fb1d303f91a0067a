"""OidcSettings: which provider is believed, and what whom it knows may do."""

from __future__ import annotations

from typing import Final

from replicator.notify.settings import Secret
from replicator.service.access.identity import Role
from replicator.values import dataclass

# Below the address of the page; the provider has to know the second one.
BEGIN: Final = "/sign-in/oidc"
CALLBACK: Final = "/sign-in/callback"


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody may whose claim has *value*: a role, for the rules that *rules* name or all."""

    value: str
    role: Role
    rules: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """How people sign in at the provider *issuer*.

    *url* is where browsers reach the page. *claim* is what grants go by, and *name_claim* is what
    people are called. Whoever no grant is for gets *default_role*, and nothing if there is none.
    Endpoints of the provider are at its own origin, or at one of *origins*.
    """

    issuer: str
    client_id: str
    url: str
    client_secret: Secret = Secret()
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    claim: str = "groups"
    name_claim: str = "preferred_username"
    grants: tuple[Grant, ...] = ()
    default_role: Role | None = None
    origins: tuple[str, ...] = ()

    @property
    def callback(self) -> str:
        """Where the provider sends browsers back to."""
        return self.url + CALLBACK

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach the page over TLS."""
        return self.url.startswith("https://")
