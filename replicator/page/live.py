"""Watch: a run as it goes on, sent to a browser as the part of the page that shows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from starlette.requests import Request

from replicator.api.following import END
from replicator.page.site import Site
from replicator.page.visitor import Visitor
from replicator.store.records import RunRecord
from replicator.store.run_pages import Progress


class Watch:
    """One watcher of one run: is told the part whenever it looks different."""

    def __init__(self, site: Site, request: Request, run: str) -> None:
        self._site = site
        self._request = request
        self._run = run
        self._state: tuple[RunRecord, Progress] | None = None
        self._told = ""

    @property
    def is_over(self) -> bool:
        return self._state is not None and self._state[0].finished_at is not None

    def news(self) -> Sequence[str]:
        part = self._part()
        if self.is_over or part == self._told:
            return ()
        self._told = part
        return (_event("progress", part),)

    async def ask(self) -> Sequence[str]:
        look = cast(Callable[[Request], Awaitable[Visitor]], self._request.state.look_again)
        visitor, runs = await look(self._request), self._site.office.runs
        record = await runs.one(visitor.identity, self._run)
        self._state = record, await runs.progress(record)
        return ()

    def last(self) -> Sequence[str]:
        return (
            f"id: {END}\n{_event('progress', self._part())}",
            f"id: {END}\nevent: end\ndata: -\n\n",
        )

    def _part(self) -> str:
        if self._state is None:
            return ""
        (record, progress), live = self._state, self._site.office.live
        return self._site.pages.text(
            "_progress.html",
            run=record,
            is_over=record.finished_at is not None,
            progress=progress,
            images=live.images(self._run),
            blobs=live.blobs(self._run),
            more_images=live.elsewhere.more_images(self._run),
        )


def _event(kind: str, text: str) -> str:
    # A line feed would end the data; so does a lone carriage return, which escaping leaves alone.
    lines = "".join(f"data: {line}\n" for line in text.replace("\r", " ").splitlines())
    return f"event: {kind}\n{lines}\n"
