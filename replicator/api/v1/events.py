"""Live events of a run (Server-Sent Events): what happens, and how far it is."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request, Response
from starlette.responses import StreamingResponse

from replicator.api.following import END, follow
from replicator.api.v1.access import FromOffice, Viewer
from replicator.api.v1.parameters import RunId
from replicator.api.v1.run_models import RunAnswer
from replicator.office import Office
from replicator.service.access.identity import Identity

router = APIRouter(tags=["runs"])

_ID: Final = re.compile(r"([0-9a-f]{8})-([0-9]{1,15})", re.ASCII)
_TYPE: Final = "text/event-stream"
_FIELD: Final = {"type": "string"}
_SCHEMA: Final = {
    "type": "object",
    "properties": {"id": _FIELD, "event": _FIELD, "data": _FIELD},
    "required": ["id", "event", "data"],
}


@router.get(
    "/runs/{run}/events",
    operation_id="watchRun",
    response_class=StreamingResponse,
    responses={
        200: {"content": {_TYPE: {"schema": _SCHEMA}}},
        204: {"description": "There was nothing more to come; do not ask again."},
    },
)
async def watch_run(
    office: FromOffice,
    who: Viewer,
    run: RunId,
    request: Request,
    last_event_id: Annotated[str | None, Header(max_length=100)] = None,
) -> Response:
    """Follow a run until it ends.

    `run` is its state and numbers, `blobs` what is moving, and `tag_started`, `tag_finished` and
    `retried` are what happened; each of these comes once, also over a connection that broke in
    between, as far as the same process answers. `end` is the last event.
    """
    await office.runs.one(who, run)
    if last_event_id == END:
        return Response(status_code=204)
    identify = request.state.identify_again
    watcher = _Watch(office, identify, run, last_event_id or "")
    watching = office.live.elsewhere.watching(run)
    stream = follow(watcher, lambda: office.live.is_closed, watching)
    # No proxy is to collect events before it passes them on.
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type=_TYPE, headers=headers)


class _Watch:
    """One watcher of one run: what he has been told, and what there is to tell."""

    def __init__(
        self,
        office: Office,
        identify: Callable[[], Awaitable[Identity]],
        run: str,
        last_id: str,
    ) -> None:
        self._office = office
        self._identify = identify
        self._run = run
        self._number = self._number_of(last_id)
        self._told: dict[str, Any] = {}
        self.is_over = False

    def news(self) -> Sequence[str]:
        texts = []
        for fact in self._office.live.facts_since(self._run, self._number):
            self._number = fact.number
            texts.append(self._event(fact.kind, fact.data))
        blobs = self._office.live.blobs(self._run)
        if self._is_news("blobs", blobs):
            texts.append(self._event("blobs", blobs))
        return texts

    async def ask(self) -> Sequence[str]:
        record = await self._office.runs.one(await self._identify(), self._run)
        progress = await self._office.runs.progress(record)
        self.is_over = record.finished_at is not None
        state = {**RunAnswer.of(record).model_dump(mode="json"), "progress": asdict(progress)}
        return [self._event("run", state)] if self._is_news("run", state) else []

    def last(self) -> Sequence[str]:
        return (f"id: {END}\nevent: end\ndata: {{}}\n\n",)

    def _is_news(self, kind: str, data: Any) -> bool:
        is_news = bool(self._told.get(kind, []) != data)
        self._told[kind] = data
        return is_news

    def _event(self, kind: str, data: Any) -> str:
        live = self._office.live
        return f"id: {live.epoch}-{self._number}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"

    def _number_of(self, last_id: str) -> int:
        """Return up to which fact was told; all are told anew by another process."""
        found = _ID.fullmatch(last_id)
        return int(found[2]) if found and found[1] == self._office.live.epoch else 0
