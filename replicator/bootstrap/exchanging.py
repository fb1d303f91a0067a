"""What processes tell each other of what moves, where a server carries it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from replicator.bootstrap.parts import Part
from replicator.service.scheduling.serving import Role
from replicator.store.live_news import LiveNews
from replicator.telemetry.exchange import Asking, Saying

if TYPE_CHECKING:
    from replicator.store.database import Database
    from replicator.telemetry.live import LiveRuns


def exchanging(database: Database, live: LiveRuns, roles: Collection[Role]) -> Iterator[Part]:
    """Yield what those do who answer, and those who copy; with a file that is one process."""
    if database.embedded:
        return
    news = LiveNews(database)
    if Role.API in roles:
        yield Part(lasting=(Asking(live, news).run,))
    if Role.WORKER in roles:
        saying = Saying(live, news)
        yield Part(lasting=(saying.run,), hearers=(saying.hear,))
