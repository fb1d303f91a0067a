"""Deciding about one rule, where due times are decided for many."""

from __future__ import annotations

from datetime import datetime

from replicator.store.fires import Fires, Verdict


async def decide(fires: Fires, name: str, now: datetime) -> Verdict:
    """Settle the due times of a rule up to *now*."""
    return (await fires.decide([name], now))[name]
