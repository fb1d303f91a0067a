"""Watch: a run as it goes on, sent to a browser as the part of the page that shows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, cast

from starlette.requests import Request

from replicator.errors import AccessDenied, RunNotFound, StoreError
from replicator.page.site import Site
from replicator.page.visitor import Visitor
from replicator.store.records import RunRecord
from replicator.store.run_pages import Progress

# Seconds between two looks at what moves in this process.
_LOOK_EVERY: Final = 0.5
# Looks after which the database is asked, which knows of the runs of others.
_ASK_EVERY: Final = 4
# Looks without news after which a comment says that the connection lives.
_HEARTBEAT: Final = 30
# The id after which nothing comes any more.
END: Final = "end"


class Watch:
    """One watcher of one run."""

    def __init__(
        self,
        site: Site,
        request: Request,
        visitor: Visitor,
        run: str,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._site = site
        self._request = request
        self._visitor = visitor
        self._run = run
        self._sleep = sleep

    async def events(self) -> AsyncIterator[str]:
        """Yield the part whenever it looks different, until the run is over or this process is."""
        told, looks, silent = "", 0, 0
        state = await self._state()
        while state[0].finished_at is None and not self._site.office.live.is_closed:
            part = self._part(*state)
            if part != told:
                told, silent = part, 0
                yield _event("progress", part)
            silent += 1
            if silent == _HEARTBEAT:
                silent = 0
                yield ": alive\n\n"
            await self._sleep(_LOOK_EVERY)
            looks += 1
            if looks % _ASK_EVERY == 0:
                try:
                    state = await self._asked_anew(state)
                except (AccessDenied, RunNotFound):
                    return
        if state[0].finished_at is not None:
            yield f"id: {END}\n{_event('progress', self._part(*state))}"
            yield f"id: {END}\nevent: end\ndata: -\n\n"

    async def _asked_anew(self, before: tuple[RunRecord, Progress]) -> tuple[RunRecord, Progress]:
        """Ask how the run is, and whether who watches still may: a session ends.

        A database that is away for a while ends nothing. Raises AccessDenied, RunNotFound.
        """
        look = cast(Callable[[Request], Awaitable[Visitor]], self._request.state.look_again)
        try:
            self._visitor = await look(self._request)
            return await self._state()
        except RunNotFound:
            raise
        except StoreError:
            return before

    async def _state(self) -> tuple[RunRecord, Progress]:
        runs = self._site.office.runs
        record = await runs.one(self._visitor.identity, self._run)
        return record, await runs.progress(record)

    def _part(self, record: RunRecord, progress: Progress) -> str:
        live = self._site.office.live
        return self._site.pages.text(
            "_progress.html",
            run=record,
            is_over=record.finished_at is not None,
            progress=progress,
            images=live.images(self._run),
            blobs=live.blobs(self._run),
        )


def _event(kind: str, text: str) -> str:
    # A line feed would end the data; so does a lone carriage return, which escaping leaves alone.
    lines = "".join(f"data: {line}\n" for line in text.replace("\r", " ").splitlines())
    return f"event: {kind}\n{lines}\n"
