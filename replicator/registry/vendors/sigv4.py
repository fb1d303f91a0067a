"""Signatures of requests to AWS. (AWS, "Signature Version 4 signing process")"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import reduce
from typing import Final

from replicator.registry.settings import AwsKeys

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


def signed(
    keys: AwsKeys,
    *,
    host: str,
    region: str,
    service: str,
    headers: Mapping[str, str],
    content: bytes,
    now: float,
) -> tuple[tuple[str, str], ...]:
    """Return *headers* and those that sign a POST of *content* to the root of *host*.

    *now* is in seconds of the time of day. A signature is good for five minutes.
    """
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {**headers, "X-Amz-Date": moment}
    if keys.session_token:
        headers["X-Amz-Security-Token"] = keys.session_token
    covered = {name.lower(): value.strip() for name, value in {**headers, "Host": host}.items()}
    names = ";".join(sorted(covered))
    lines = [f"{name}:{covered[name]}" for name in sorted(covered)]
    request = "\n".join(["POST", "/", "", *lines, "", names, _hash(content)])
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    text = "\n".join([_ALGORITHM, moment, scope, _hash(request.encode())])
    key = reduce(_mac, scope.split("/"), f"AWS4{keys.secret_key}".encode())
    headers["Authorization"] = (
        f"{_ALGORITHM} Credential={keys.access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={_mac(key, text).hex()}"
    )
    return tuple(headers.items())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
