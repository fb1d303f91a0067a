"""Origins: to which servers a provider's document may send us, and people's browsers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from replicator.errors import ProviderUnavailable

# Endpoints that large providers have elsewhere, by the origin of their issuer.
_KNOWN: Final[Mapping[str, Sequence[str]]] = {
    "https://accounts.google.com": (
        "https://oauth2.googleapis.com",
        "https://www.googleapis.com",
        "https://openidconnect.googleapis.com",
    ),
    "https://login.microsoftonline.com": ("https://graph.microsoft.com",),
}
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
# Only what every parser reads alike.
_ODD_CHARACTER: Final = re.compile(r"[^\x21-\x7e]|\\")


class Origins:
    """Lets pass the provider's own origin, those known of it, and those that the file names.

    The secret of the client and people's logins go there, so a document that somebody has tampered
    with must not be able to choose.
    """

    def __init__(self, issuer: str, others: Sequence[str]) -> None:
        own = origin_of(issuer)
        self._issuer = issuer
        self._allowed = {own, *_KNOWN.get(own, ()), *map(origin_of, others)}

    def check(self, url: Any, what: str) -> None:
        """Raise ProviderUnavailable unless *url*, which the provider named, may be used."""
        origin = origin_of(url) if isinstance(url, str) else ""
        if not origin:
            raise ProviderUnavailable(f"{self._issuer} names a {what} that is no address")
        if origin not in self._allowed:
            raise ProviderUnavailable(
                f"{self._issuer} has its {what} at {origin}; add it to origins below "
                "[service.oidc] if that is right"
            )


def origin_of(url: str) -> str:
    """Return scheme, host and port of an address; empty for what is none."""
    if _ODD_CHARACTER.search(url):
        return ""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{host}{shown}"
