"""The screen of one run: how far it is, and what became of each tag."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from replicator.api.following import END, follow
from replicator.errors import InvalidRequest, RunNotFound
from replicator.page.forms import Form, go_to
from replicator.page.live import Watch
from replicator.page.site import LIMIT, Site, asked
from replicator.page.visitor import Visitor, visitor_of
from replicator.service.access.identity import Role
from replicator.store.records import Outcome


class RunScreen:
    """Shows a run, live while it lasts; lets it be ended, and repeated."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._office = site.office

    async def show(self, request: Request) -> Response:
        visitor, run = visitor_of(request), _run(request)
        record = await self._office.runs.one(visitor.identity, run)
        text, outcome = asked(request, "text"), _outcome(asked(request, "outcome"))
        cursor = asked(request, "cursor")
        tags = await self._office.runs.actions(
            visitor.identity, run, cursor=cursor, limit=LIMIT, outcome=outcome, text=text
        )
        progress = await self._office.runs.progress(record)
        return self._site.pages.page(
            request,
            "run.html",
            run=record,
            is_over=record.finished_at is not None,
            progress=progress,
            images=self._office.live.images(run),
            blobs=self._office.live.blobs(run),
            more_images=self._office.live.elsewhere.more_images(run),
            tags=tags.items,
            next=tags.next,
            cursor=cursor,
            text=text,
            outcome=outcome,
            outcomes=tuple(Outcome),
        )

    async def watch(self, request: Request) -> Response:
        """Send what moves, as parts of the page (Server-Sent Events)."""
        visitor, run = visitor_of(request), _run(request)
        await self._office.runs.one(visitor.identity, run)
        if request.headers.get("last-event-id") == END:
            return Response(status_code=204)
        live = self._office.live
        watching = live.elsewhere.watching(run)
        events = follow(Watch(self._site, request, run), lambda: live.is_closed, watching)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    async def cancel(self, request: Request, visitor: Visitor, form: Form) -> Response:
        visitor.identity.require(Role.OPERATOR)
        record = await self._office.run_desk.cancel(visitor.identity, _run(request))
        return go_to(f"/runs/{record.id}")

    async def retry(self, request: Request, visitor: Visitor, form: Form) -> Response:
        visitor.identity.require(Role.OPERATOR)
        record = await self._office.run_desk.retry(
            visitor.identity, _run(request), failed=form.get("failed") == "yes"
        )
        return go_to(f"/runs/{record.id}")


def _run(request: Request) -> str:
    """Raises RunNotFound for what no run is called, and no database would want to look for."""
    run = str(request.path_params["run"])
    if not (run.isascii() and run.isprintable()):
        raise RunNotFound(f"there is no run {run[:100]!r}")
    return run


def _outcome(name: str | None) -> Outcome | None:
    try:
        return None if name is None else Outcome(name)
    except ValueError:
        raise InvalidRequest("nothing can become of a tag by that name", field="outcome") from None
