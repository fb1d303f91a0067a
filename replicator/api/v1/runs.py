"""Routes of runs: what was done, and what is being done."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Response
from pydantic import Field

from replicator.api.v1.access import FromOffice, Operator, Viewer
from replicator.api.v1.idempotency import IdempotencyKey, once
from replicator.api.v1.parameters import USUAL_LIMIT, Asked, Cursor, Limit, RunId, Text
from replicator.api.v1.run_models import ActionAnswer, ActionPage, RunAnswer, RunPage
from replicator.planning.plan import Decision
from replicator.store.records import Outcome, RunState

router = APIRouter(tags=["runs"])


class Start(Asked):
    """Which rule is to be carried out."""

    rule: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class Retry(Asked):
    """Whether only the tags that failed are done again, instead of the whole rule."""

    failed: bool = False


@router.get("/runs", operation_id="listRuns")
async def list_runs(
    office: FromOffice,
    who: Viewer,
    cursor: Cursor = None,
    limit: Limit = USUAL_LIMIT,
    rule: Text = None,
    state: RunState | None = None,
) -> RunPage:
    """List runs, newest first, of one rule or in one state if that is asked."""
    page = await office.runs.page(who, cursor=cursor, limit=limit, rule=rule, state=state)
    return RunPage(items=list(map(RunAnswer.of, page.items)), next=page.next)


@router.get("/runs/{run}", operation_id="showRun")
async def show_run(office: FromOffice, who: Viewer, run: RunId) -> RunAnswer:
    """Show one run."""
    return RunAnswer.of(await office.runs.one(who, run))


@router.get("/runs/{run}/tags", operation_id="listTagsOfRun")
async def list_tags(
    office: FromOffice,
    who: Viewer,
    run: RunId,
    cursor: Cursor = None,
    limit: Limit = USUAL_LIMIT,
    outcome: Outcome | None = None,
    decision: Decision | None = None,
    text: Text = None,
) -> ActionPage:
    """List the destination tags that a run decided about; those in step are only counted.

    `text` is a part of a destination, a source or an error.
    """
    page = await office.runs.actions(
        who, run, cursor=cursor, limit=limit, outcome=outcome, decision=decision, text=text
    )
    return ActionPage(items=list(map(ActionAnswer.of, page.items)), next=page.next)


@router.post("/runs", operation_id="startRun", status_code=202, response_model=RunAnswer)
async def start_run(
    office: FromOffice, who: Operator, start: Start, idempotency_key: IdempotencyKey = None
) -> Response:
    """Let a run of a rule wait for a worker, which takes it up within seconds."""

    async def act() -> RunAnswer:
        return RunAnswer.of(await office.run_desk.start(who, start.rule))

    return await once(office.answers, who, idempotency_key, ("start", start.rule), act)


@router.post("/runs/{run}/cancel", operation_id="cancelRun", status_code=202)
async def cancel_run(office: FromOffice, who: Operator, run: RunId) -> RunAnswer:
    """End a run within seconds, in the middle of a blob. What was copied stays."""
    return RunAnswer.of(await office.run_desk.cancel(who, run))


@router.post(
    "/runs/{run}/retry", operation_id="retryRun", status_code=202, response_model=RunAnswer
)
async def retry_run(
    office: FromOffice,
    who: Operator,
    run: RunId,
    retry: Annotated[Retry | None, Body()] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Let the rule of a run, as it is now, be carried out again."""
    failed = retry is not None and retry.failed

    async def act() -> RunAnswer:
        return RunAnswer.of(await office.run_desk.retry(who, run, failed=failed))

    return await once(office.answers, who, idempotency_key, ("retry", run, failed), act)
