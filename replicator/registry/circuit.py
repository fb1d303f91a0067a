"""Circuit: a registry that gives no answer to anybody is left alone for a while."""

from __future__ import annotations

from typing import Final

from replicator.registry.retry import Clock

# What has to come together, so that one lost connection is not taken for a dead registry: as many
# attempts without an answer as two requests make, and seconds in which nothing came at all. A
# registry that is started anew is back sooner.
_MOST_UNANSWERED: Final = 10
_SHORTEST_SILENCE: Final = 180.0
# Seconds between two requests that try whether it is back.
_ASK_EVERY: Final = 30.0


class Circuit:
    """Decides whether there is a point in asking a registry now.

    Each request to a registry that is silent takes minutes until it is given up, and a run makes
    thousands. Anything that comes from the registry, be it slow or an error, closes the circuit.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._unanswered = 0
        self._silent_since: float | None = None
        self._ask_again_at: float | None = None

    @property
    def silence(self) -> float:
        """For how many seconds nothing has come."""
        since = self._silent_since
        return 0.0 if since is None else self._clock.monotonic() - since

    def lets_through(self) -> bool:
        """Say whether a request may be sent; while the circuit is open, one now and then may."""
        if self._ask_again_at is None:
            return True
        now = self._clock.monotonic()
        if now < self._ask_again_at:
            return False
        self._ask_again_at = now + _ASK_EVERY
        return True

    def answered(self) -> None:
        """Something came from the registry."""
        if self._silent_since is not None:
            self._unanswered, self._silent_since, self._ask_again_at = 0, None, None

    def unanswered(self) -> None:
        """An attempt got no answer: nothing came in time, or there was no connection."""
        now = self._clock.monotonic()
        self._unanswered += 1
        if self._silent_since is None:
            self._silent_since = now
        silence = now - self._silent_since
        if self._unanswered >= _MOST_UNANSWERED and silence >= _SHORTEST_SILENCE:
            self._ask_again_at = now + _ASK_EVERY
