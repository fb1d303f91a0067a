"""URLs made of the parts of others, as to read one takes httpx 50 µs and more.

That is a quarter of all that a HEAD costs us, and an upload names a location of 400 characters.
"""

from __future__ import annotations

import re
from typing import Final

import httpx
from httpx._urlparse import ParseResult

# What stands in a URL as it is: no dot segment, no empty one, nothing that is still to be quoted.
_PLAIN: Final = re.compile(
    r"((?:[a-zA-Z0-9_][a-zA-Z0-9._:-]*/)*[a-zA-Z0-9_][a-zA-Z0-9._:-]*/?)"
    r"(?:\?((?:[a-zA-Z0-9._:=&/-]|%[0-9A-F]{2})+))?"
)


class ApiUrls:
    """Makes URLs below ``/v2/`` of one origin.

    They differ in their paths alone, so the root is read once, and its parts are used again.
    *origin* is such as ``https://registry.example:5000``.
    """

    def __init__(self, origin: str) -> None:
        self.root = httpx.URL(f"{origin}/v2/")
        self._parts = self.root._uri_reference

    def url(self, path: str) -> httpx.URL:
        """Return the URL of *path*, which may have a query."""
        if (plain := _PLAIN.fullmatch(path)) is None:
            return httpx.URL(f"{self.root}{path}")
        return _of(self._parts._replace(path=f"/v2/{plain[1]}", query=plain[2]))


def neighbour(url: httpx.URL, text: str) -> httpx.URL | None:
    """Return the URL that *text* is beside *url*; None unless it is plain, and on that server."""
    parts = url._uri_reference
    server = f"{parts.scheme}://{parts.authority}/"
    if text.startswith(server):
        rest = text[len(server) :]
    elif text.startswith("/"):
        rest = text[1:]
    else:
        return None
    if (plain := _PLAIN.fullmatch(rest)) is None:
        return None
    return _of(parts._replace(path=f"/{plain[1]}", query=plain[2], fragment=None))


def with_parameter(url: httpx.URL, parameter: str) -> httpx.URL:
    """Return *url* with one more *parameter*, which is quoted, at the end of its query.

    The query that is there stays as it is.
    """
    parts = url._uri_reference
    query = parameter if parts.query is None else f"{parts.query}&{parameter}"
    return _of(parts._replace(query=query))


def _of(parts: ParseResult) -> httpx.URL:
    url = httpx.URL.__new__(httpx.URL)
    url._uri_reference = parts
    return url
