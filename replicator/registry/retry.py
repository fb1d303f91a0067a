"""When a request is sent again: after which answers, how often, and how long later."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from replicator.values import dataclass

REPEATED_STATUSES: Final = frozenset({408, 429, 500, 502, 503, 504})

# In seconds. The wait before the n-th repetition is anything up to FIRST_WAIT × 2ⁿ.
FIRST_WAIT: Final = 0.5
LONGEST_BACKOFF: Final = 30.0
# A number of seconds beyond this is a point in time: Docker Hub's X-Retry-After is one.
_LEAST_TIMESTAMP: Final = 1_000_000_000
# In seconds. Whoever adds a wait to a time must not fall out of the calendar.
_LONGEST_ASKED: Final = 366 * 86_400.0


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and chance, passed in so that a test decides them; all in seconds."""

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random

    def backoff(self, attempt: int) -> float:
        """Choose the wait before repetition number *attempt*, the first being 0.

        Anything between nothing and twice as much as the time before ("full jitter"), so that
        those who were refused together do not come back together.
        """
        return self.random() * min(LONGEST_BACKOFF, FIRST_WAIT * 2.0 ** min(attempt, 16))


def asked_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Return how many seconds an answer asks to wait, None if it does not say.

    *now* is the time of day. Seconds, a date, and Docker Hub's point in time are understood; a
    time that has passed is no wait at all, and nobody is waited for longer than a year. (RFC 9110,
    "Retry-After")
    """
    text = headers.get("retry-after") or headers.get("x-retry-after") or ""
    moment = _number(text)
    if moment is None:
        moment = _date(text)
        if moment is None:
            return None
        wait = moment - now
    else:
        wait = moment - now if moment >= _LEAST_TIMESTAMP else moment
    return min(max(0.0, wait), _LONGEST_ASKED)


def _number(text: str) -> float | None:
    text = text.strip()
    return float(text[:20]) if text.isascii() and text.isdigit() else None


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
