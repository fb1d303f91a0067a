"""How long a row of the ledger is believed."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Final

CONFIRM_AFTER: Final = timedelta(hours=24)

# Of the rows in the second half of their time, so many are looked at again in each run. Else all
# that was published in one night would be due again in one night.
_SHARE: Final = 0.1


class Freshness:
    """Decides which rows have to be confirmed.

    One younger than half of *confirm_after* is believed, one older than all of it is not, and
    of those between a share is confirmed in each run.
    """

    def __init__(self, confirm_after: timedelta, *, random: Random) -> None:
        self._confirm_after = confirm_after
        self._random = random

    def is_due(self, confirmed_at: datetime | None, *, now: datetime) -> bool:
        """Say whether what was last seen at *confirmed_at*, if ever, has to be seen again."""
        if confirmed_at is None:
            return True
        age = now - confirmed_at
        if age < self._confirm_after / 2:
            return False
        return age >= self._confirm_after or self._random.random() < _SHARE
