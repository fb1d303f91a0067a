"""Is a notice from who it says? Each kind of registry has its own way of showing a secret."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

# Of headers that hold a signature of the body: the algorithm, and what comes before the digits.
_SIGNED: Final = {
    "x-hub-signature-256": ("sha256", "sha256="),  # GitHub, Gitea
    "x-gitea-signature": ("sha256", ""),
    "x-nexus-webhook-signature": ("sha1", ""),
}


def is_authentic(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, in_path: str = ""
) -> bool:
    """Say whether a notice shows one of *secrets*: by a signature, in a header or in its path.

    *headers* have names in lower case. A signature that is there has to be right, whatever else
    is shown. Takes the same time for all wrong secrets.
    """
    for header, (algorithm, prefix) in _SIGNED.items():
        if header in headers:
            given = headers[header].lower()
            wanted = (prefix + _signature(secret, body, algorithm) for secret in secrets)
            return _is_one_of(given, wanted)
    shown = [in_path, headers.get("x-gitlab-token", ""), *_authorization(headers)]
    # Each is compared with each, whatever was found before.
    return sum(_is_one_of(each, secrets) for each in shown if each) > 0


def _signature(secret: str, body: bytes, algorithm: str) -> str:
    return hmac.new(secret.encode(), body, algorithm).hexdigest()


def _authorization(headers: Mapping[str, str]) -> list[str]:
    """Return what may be the secret: as it is (Harbor), as a token, or as a password."""
    header = headers.get("authorization", "")
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return [header, value.strip()]
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return [header]
        return [header, decoded.partition(":")[2]]
    return [header]


def _is_one_of(given: str, wanted: Iterable[str]) -> bool:
    return sum(hmac.compare_digest(given.encode(), each.encode()) for each in wanted) > 0
