"""Ranges: whether an answer is the part of a blob that was asked for."""

from __future__ import annotations

import re
from typing import Final

import httpx

_CONTENT_RANGE: Final = r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)"


def starts_at(response: httpx.Response, offset: int, size: int) -> bool:
    """Say whether a part begins at *offset* of a blob of *size*. (RFC 9110, "Content-Range")"""
    match = re.fullmatch(_CONTENT_RANGE, response.headers.get("content-range", ""), re.ASCII)
    return match is not None and int(match[1]) == offset and match[3] in ("*", str(size))
