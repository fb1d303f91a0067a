"""Names of runs: they sort by time, and people can read and type them."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Final

# Crockford's: no letters that look like digits.
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_CHARACTERS: Final = 8


def new_run_id(now: datetime) -> str:
    """Return a new name such as ``20260314-031500-k3f9x2ab``, from the time in UTC.

    Within one second 40 random bits tell runs apart, also those of several processes.
    """
    bits = secrets.randbits(5 * _RANDOM_CHARACTERS)
    suffix = "".join(_ALPHABET[bits >> 5 * place & 31] for place in range(_RANDOM_CHARACTERS))
    return f"{now.astimezone(UTC):%Y%m%d-%H%M%S}-{suffix}"
