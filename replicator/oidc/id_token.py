"""The ID token: what a provider says, signed, about who has signed in."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError
from joserfc.jwk import KeySet

from replicator.errors import NotAuthenticated
from replicator.oidc.settings import OidcSettings

# Signatures that a public key checks; neither "none" nor those of a secret that both know.
_ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
# Seconds by which the clocks of the provider and of this machine may differ.
_LEEWAY: Final = 60
_LONGEST: Final = 64 * 1024


class UnknownKey(Exception):
    """No key that we know has signed it."""


def verify(token: object, keys: KeySet) -> jwt.Token:
    """Check the signature. Raises UnknownKey, and NotAuthenticated when no key could help."""
    if not isinstance(token, str) or len(token) > _LONGEST:
        raise _refused("is missing")
    try:
        return jwt.decode(token, keys, algorithms=list(_ALGORITHMS))
    except JoseError as error:
        if error.error in ("invalid_key_id", "bad_signature"):
            raise UnknownKey from None
        raise _refused(f"cannot be checked: {error.error}") from None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _refused("cannot be read") from None


def check(
    token: jwt.Token,
    settings: OidcSettings,
    *,
    nonce: str,
    access_token: object,
    now: datetime,
) -> Mapping[str, Any]:
    """Return the claims, if they are of this provider, for us, for this sign-in, and for now.

    OpenID Connect Core, section 3.1.3.7. Raises NotAuthenticated.
    """
    registry = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=_LEEWAY,
        iss={"essential": True, "value": settings.issuer},
        sub={"essential": True},
        aud={"essential": True, "value": settings.client_id},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    claims = token.claims
    try:
        registry.validate(claims)
    except ExpiredTokenError:
        raise _refused("is over") from None
    except MissingClaimError as error:
        raise _refused(f"does not say its {error.claim}") from None
    except InvalidClaimError as error:
        raise _refused(f"has another {error.claim} than was asked for") from None
    except (JoseError, ValueError, TypeError):
        raise _refused("has claims that cannot be read") from None
    if not isinstance(claims["sub"], str):
        raise _refused("does not say its sub")
    _check_party(claims, settings.client_id)
    _check_access_token(claims, access_token, str(token.header["alg"]))
    return claims


def _check_party(claims: Mapping[str, Any], client_id: str) -> None:
    """A token for several parties has to say that we are the one it was given to."""
    audience = claims["aud"]
    has_others = isinstance(audience, list) and len(audience) > 1
    party = claims.get("azp", None if has_others else client_id)
    if party != client_id:
        raise _refused("was given to another party")


def _check_access_token(claims: Mapping[str, Any], access_token: object, algorithm: str) -> None:
    """Where it names the access token that came with it, that has to be it."""
    named = claims.get("at_hash")
    if named is None or not algorithm[2:].isdecimal():
        return
    digest = hashlib.new(f"sha{algorithm[2:]}", str(access_token).encode()).digest()
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
    if not hmac.compare_digest(half.encode(), str(named).encode()):
        raise _refused("came with another access token than it names")


def _refused(why: str) -> NotAuthenticated:
    return NotAuthenticated(f"the provider's ID token {why}; begin to sign in anew")
