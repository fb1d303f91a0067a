"""Loan: credentials that a cloud gave for a while."""

from __future__ import annotations

from typing import Final, Protocol

from replicator.errors import ReplicatorError
from replicator.registry.settings import Credentials
from replicator.values import dataclass

# In seconds. What has less than this left is renewed. Whoever uses credentials reads them anew
# every five minutes, so that what they got has to be good for longer.
RENEWED_BEFORE_END: Final = 600.0
# Each tag of a run needs the credentials: nobody is asked that often who has just refused.
_ASKED_AGAIN_AFTER: Final = 15.0


@dataclass(frozen=True, slots=True)
class Loan:
    """Credentials that are good until *ends*, in seconds of the time of day."""

    credentials: Credentials
    ends: float

    def is_due(self, now: float) -> bool:
        """Say whether there should be others by now."""
        return self.ends - now < RENEWED_BEFORE_END


class Lender(Protocol):
    """Borrows credentials for one registry from its cloud.

    It keeps what it has for as long as that is good, and blocks while it asks for more.
    """

    def borrow(self) -> Loan:
        """Return a loan. Raises ConfigError or RegistryUnavailable."""
        ...


class Refusals:
    """Remembers a failure to borrow, for a moment."""

    def __init__(self) -> None:
        self._error: ReplicatorError | None = None
        self._until = float("-inf")

    def raise_recent(self, now: float) -> None:
        """Raise the last failure again if it was a moment ago."""
        if self._error is not None and now < self._until:
            raise self._error.with_traceback(None)

    def note(self, error: ReplicatorError, now: float) -> None:
        self._error, self._until = error, now + _ASKED_AGAIN_AFTER
