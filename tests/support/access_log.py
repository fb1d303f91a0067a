"""Requests as a server itself wrote them down."""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.support.address import KNOCK

# Distribution writes the combined log format, crane's registry the time, the method and the URI,
# and a status only when it refused.
_COMBINED = re.compile(r'\] "([A-Z]+) (\S+) HTTP/[\d.]+" (\d{3}) ')
_CRANE = re.compile(r"^[\d/]+ [\d:]+ ([A-Z]+) (/\S*)(?: (\d{3}) |$)")


class Request(NamedTuple):
    """One request; *status* is None where the server does not log that of a success."""

    method: str
    uri: str
    status: int | None

    @property
    def is_knock(self) -> bool:
        """Whether our own `Address.knock` sent it, to find a place in the log."""
        return f"?{KNOCK}=" in self.uri


def parse(line: str) -> Request | None:
    """Read one line of a log. Gives None for a line that is not about a request."""
    match = _COMBINED.search(line) or _CRANE.search(line)
    if match is None:
        return None
    method, uri, status = match.groups()
    return Request(method, uri, int(status) if status else None)
