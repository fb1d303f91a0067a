"""What watches a service: its metrics, its log, the runs under way, and traces."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from replicator.events import Listener, to_all
from replicator.telemetry.live import LiveRuns
from replicator.telemetry.logging import log_event
from replicator.telemetry.metrics import Metrics
from replicator.telemetry.traces import open_traces
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class Watched:
    """What hears all that is announced, and what can be asked of it."""

    listener: Listener
    metrics: Metrics
    live: LiveRuns


@asynccontextmanager
async def watching() -> AsyncIterator[Watched]:
    """Build what watches, and send at the end what is left of traces."""
    metrics, live, traces = Metrics(), LiveRuns(), open_traces(os.environ)
    heard = (metrics.hear, log_event, live.hear, *((traces.hear,) if traces else ()))
    try:
        yield Watched(to_all(*heard), metrics, live)
    finally:
        if traces is not None:
            # In a thread, as a collector may be slow.
            await asyncio.to_thread(traces.close)
