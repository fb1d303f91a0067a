"""Health: whether the parts of a service do their work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from replicator.errors import ReplicatorError

# Says what is wrong with one part; empty if nothing is.
Check: TypeAlias = Callable[[], Awaitable[str]]

# Seconds; less than a probe waits.
_PATIENCE: Final = 3.0


class Health:
    """Asks each part how it does."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks

    async def troubles(self) -> Mapping[str, str]:
        """Return for each part what is wrong with it; empty for one that does its work."""
        answers = await asyncio.gather(*map(_ask, self._checks.values()))
        return dict(zip(self._checks, answers, strict=True))


async def _ask(check: Check) -> str:
    try:
        async with asyncio.timeout(_PATIENCE):
            return await check()
    except TimeoutError:
        return f"no answer within {_PATIENCE:.0f} seconds"
    except ReplicatorError as error:
        return str(error)
