"""Ranges of bytes, as they are asked for and as they are sent."""

from __future__ import annotations

import re
from typing import Final

# RFC 9110, "Range": one range only. Several at once are legal, and so is ignoring them.
_ASKED: Final = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))", re.ASCII)
# distribution-spec, "Pushing a blob in chunks": unlike in RFC 9110 there is no unit and no total.
_SENT: Final = re.compile(r"(\d{1,18})-(\d{1,18})", re.ASCII)


def asked_range(header: str, size: int) -> tuple[int, int] | None:
    """Return where the range *header* begins and ends, the end excluded.

    None stands for "all of it": the header is not a single range of bytes. A range that holds
    no byte of the *size* there are is returned as an empty one.
    """
    match = _ASKED.fullmatch(header.strip())
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix:
        return max(0, size - int(suffix)), size
    stop = min(int(last) + 1, size) if last else size
    return int(first), max(stop, int(first))


def sent_range(header: str) -> tuple[int, int] | None:
    """Return where a chunk begins and ends, the end excluded; None if *header* is no range."""
    match = _SENT.fullmatch(header.strip())
    if match is None:
        return None
    return int(match[1]), int(match[2]) + 1
