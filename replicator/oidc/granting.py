"""What somebody may do, by what the provider says of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from replicator.errors import AccessDenied
from replicator.oidc.settings import Grant, OidcSettings
from replicator.service.access.identity import Identity, Role

# No token can be called so, and nobody in the audit is taken for somebody else.
PREFIX: Final = "oidc:"
_LONGEST: Final = 200
_ORDER: Final = tuple(Role)


def identity_of(claims: Mapping[str, Any], settings: OidcSettings) -> Identity:
    """Return who that is here. Raises AccessDenied for whom nothing is granted.

    The highest role that is granted counts, for the rules of the grants that give it.
    """
    name = _name(claims, settings)
    values = values_of(claims, settings.claim)
    fitting = [grant for grant in settings.grants if grant.value in values]
    if fitting:
        role = max((grant.role for grant in fitting), key=_ORDER.index)
        return Identity(PREFIX + name, role, _rules(fitting, role), "oidc")
    if settings.default_role is not None:
        return Identity(PREFIX + name, settings.default_role, None, "oidc")
    raise AccessDenied(
        f"{name} is known to {settings.issuer}, but nothing is granted here for its "
        f"{settings.claim}; whoever runs this service has the grants below [service.oidc]"
    )


def lacks(claims: Mapping[str, Any], settings: OidcSettings) -> bool:
    """Say whether what we go by is not among the claims; the provider may have it elsewhere."""
    return any(_found(claims, name) is None for name in (settings.claim, settings.name_claim))


def values_of(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """Return what a claim says, as a set; an address that nobody has verified says nothing."""
    found = _found(claims, name)
    if name == "email" and claims.get("email_verified") is not True:
        return frozenset()
    listed = found if isinstance(found, list) else [found]
    return frozenset(each for each in listed if isinstance(each, str))


def _found(claims: Mapping[str, Any], name: str) -> Any:
    """Find a claim: by its name, or by the path to it, as in Keycloak's `realm_access.roles`."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _rules(fitting: list[Grant], role: Role) -> tuple[str, ...] | None:
    """Return the rules of all grants of *role*; None is all there are."""
    together: dict[str, None] = {}
    for grant in fitting:
        if grant.role is role:
            if grant.rules is None:
                return None
            together.update(dict.fromkeys(grant.rules))
    return tuple(together)


def _name(claims: Mapping[str, Any], settings: OidcSettings) -> str:
    """Return what people call them, else what the provider does."""
    for claim in (settings.name_claim, "email"):
        for value in values_of(claims, claim):
            if value.isprintable() and 0 < len(value.strip()) <= _LONGEST:
                return value.strip()
    return ascii(claims["sub"])[1:-1][:_LONGEST]
