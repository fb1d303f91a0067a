"""The key of a token server, as distribution 3 wants to be told of it."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def write_key_set(certificate: Path) -> Path:
    """Write the public key of *certificate* as a JSON Web Key Set beside it.

    The token server names its key as libtrust did; distribution 3 knows certificates by
    another name, and so finds the key only if a key set has the old one.
    """
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    point = key.public_numbers()
    entry = {
        "kty": "EC",
        "crv": "P-256",
        "kid": _libtrust_id(key),
        "x": _base64url(point.x),
        "y": _base64url(point.y),
    }
    file = certificate.with_suffix(".jwks")
    file.write_text(json.dumps({"keys": [entry]}))
    return file


def _libtrust_id(key: ec.EllipticCurvePublicKey) -> str:
    """Compute the first 240 bits of the key's hash, in base 32 and groups of four."""
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    text = base64.b32encode(hashlib.sha256(encoded).digest()[:30]).decode()
    return ":".join(text[start : start + 4] for start in range(0, len(text), 4))


def _base64url(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()
