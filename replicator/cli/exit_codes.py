"""Exit codes: what scripts go by."""

from __future__ import annotations

from typing import Final

from replicator import errors

SUCCESS: Final = 0
FAILED: Final = 1
USAGE: Final = 2
PARTIAL: Final = 3


def code_of(error: errors.ReplicatorError) -> int:
    """Return 2 for what the user has to change, 1 for what went wrong on the way."""
    match error:
        case (
            errors.InvalidManifest()
            | errors.LeaseLost()
            | errors.RunActive()
            | errors.RunFinished()
        ):
            return FAILED
        case errors.ConfigError() | errors.InvalidValue() | errors.StoreError():
            return USAGE
        case _:
            return FAILED
