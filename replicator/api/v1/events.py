"""Live events of a run (Server-Sent Events): what happens, and how far it is."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Response
from starlette.responses import StreamingResponse

from replicator.api.v1.access import FromOffice, Viewer
from replicator.api.v1.parameters import RunId
from replicator.api.v1.run_models import RunAnswer
from replicator.office import Office
from replicator.service.identity import Identity

router = APIRouter(tags=["runs"])

# Seconds between two looks at what moves in this process, and at the database, which knows of
# the runs of others.
_LOOK_EVERY: Final = 0.5
_ASK_EVERY: Final = 2.0
# Of silence, after which a comment shows that the connection lives; proxies cut silent ones.
_HEARTBEAT: Final = 15.0
# The id after which nothing comes any more.
_END: Final = "end"
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
    last_event_id: Annotated[str | None, Header(max_length=100)] = None,
) -> Response:
    """Follow a run until it ends.

    `run` is its state and numbers, `blobs` what is moving, and `tag_started`, `tag_finished` and
    `retried` are what happened; each of these comes once, also over a connection that broke in
    between, as far as the same process answers. `end` is the last event.
    """
    await office.runs.one(who, run)
    if last_event_id == _END:
        return Response(status_code=204)
    stream = _Watch(office, who, run, last_event_id or "").events()
    # No proxy is to collect events before it passes them on.
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type=_TYPE, headers=headers)


class _Watch:
    """One watcher of one run: what he has been told, and what there is to tell."""

    def __init__(
        self,
        office: Office,
        who: Identity,
        run: str,
        last_id: str,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._office = office
        self._who = who
        self._run = run
        self._sleep = sleep
        self._number = self._number_of(last_id)
        self._told: dict[str, Any] = {}

    async def events(self) -> AsyncIterator[str]:
        silent = unasked = 0.0
        finished = await self._state()
        yield self._event("run", finished[0])
        while True:
            said = False
            for text in self._of_this_process():
                said = True
                yield text
            if finished[1] or self._office.live.is_closed:
                break
            silent = 0.0 if said else silent + _LOOK_EVERY
            if silent >= _HEARTBEAT:
                silent = 0.0
                yield ": alive\n\n"
            await self._sleep(_LOOK_EVERY)
            unasked += _LOOK_EVERY
            if unasked >= _ASK_EVERY:
                unasked = 0.0
                finished = await self._state()
                if self._is_news("run", finished[0]):
                    yield self._event("run", finished[0])
        if finished[1]:
            yield f"id: {_END}\nevent: end\ndata: {{}}\n\n"

    def _of_this_process(self) -> list[str]:
        texts = []
        for fact in self._office.live.facts_since(self._run, self._number):
            self._number = fact.number
            texts.append(self._event(fact.kind, fact.data))
        blobs = self._office.live.blobs(self._run)
        if self._is_news("blobs", blobs):
            texts.append(self._event("blobs", blobs))
        return texts

    async def _state(self) -> tuple[dict[str, Any], bool]:
        """Return what the database says of the run, and whether it is over."""
        record = await self._office.runs.one(self._who, self._run)
        progress = await self._office.runs.progress(record)
        state = {**RunAnswer.of(record).model_dump(mode="json"), "progress": asdict(progress)}
        self._told.setdefault("run", state)
        return state, record.finished_at is not None

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
