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
    of those between a tenth is confirmed in each run. *share* is the part of all that each run
    confirms in any case.
    """

    def __init__(self, confirm_after: timedelta, *, random: Random, share: float = 0.0) -> None:
        self._confirm_after = confirm_after
        self._random = random
        self._share = share

    def is_due(self, confirmed_at: datetime | None, *, now: datetime) -> bool:
        """Say whether what was last seen at *confirmed_at*, if ever, has to be seen again."""
        if confirmed_at is None:
            return True
        age = now - confirmed_at
        if age >= self._confirm_after:
            return True
        share = self._share if age < self._confirm_after / 2 else max(self._share, _SHARE)
        return share > 0 and self._random.random() < share
