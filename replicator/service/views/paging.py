"""Pages: a part of a long list, and where the next part begins."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

from replicator.errors import InvalidRequest
from replicator.values import dataclass

T = TypeVar("T")

# More in one page is cut to this.
LARGEST: Final = 200
USUAL: Final = 50

_LONGEST_CURSOR: Final = 2000


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, and the cursor of the next page; None on the last one."""

    items: tuple[T, ...]
    next: str | None


def clamped(limit: int) -> int:
    """Return how many items a page has for whoever asks for *limit*."""
    return max(1, min(limit, LARGEST))


def page_of(found: Sequence[T], limit: int, key: Callable[[T], tuple[Any, ...]]) -> Page[T]:
    """Make a page of what was *found*, which is one more than *limit* where there are more."""
    items = tuple(found[:limit])
    return Page(items, _encode(key(items[-1])) if len(found) > limit else None)


def page_by_name(
    found: Sequence[T], cursor: str | None, limit: int, name: Callable[[T], str]
) -> Page[T]:
    """Make a page of what is there as a whole, sorted by *name*, after the page before.

    Raises InvalidRequest for what is no cursor of ours.
    """
    after = read_cursor(cursor, str)
    rest = [each for each in found if after is None or name(each) > after[0]]
    return page_of(rest[: limit + 1], limit, lambda each: (name(each),))


def read_cursor(cursor: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """Return the key that a page ended with; None for the first page.

    *kinds* are the types of its parts. Raises InvalidRequest for what is no cursor of ours.
    """
    if cursor is None:
        return None
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor[:_LONGEST_CURSOR].encode("ascii")))
    except (ValueError, RecursionError, binascii.Error):
        key = None
    if not isinstance(key, list) or [type(part) for part in key] != list(kinds):
        raise InvalidRequest("this is no cursor of a page before", field="cursor")
    if any(isinstance(part, int) and not 0 <= part < 2**63 for part in key):
        raise InvalidRequest("this is no cursor of a page before", field="cursor")
    if any(isinstance(part, str) and "\x00" in part for part in key):
        raise InvalidRequest("this is no cursor of a page before", field="cursor")
    return tuple(key)


def _encode(key: tuple[Any, ...]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode("ascii")
