"""Text of strangers, such as a registry's answer, made fit for a column."""

from __future__ import annotations

from typing import Final

_LONGEST: Final = 2000
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def storable(text: str) -> str:
    """Return *text* without what a database refuses, at most so much of it as a person reads.

    PostgreSQL has no NUL in text; halves of surrogate pairs are no UTF-8 anywhere, but JSON may
    contain them.
    """
    encodable = text[:_LONGEST].encode("utf-8", "replace").decode("utf-8")
    return encodable.replace("\0", _REPLACEMENT)
