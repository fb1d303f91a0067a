"""Routes of runs: what was done, and what is being done."""

from __future__ import annotations

from fastapi import APIRouter

from replicator.api.v1.access import FromOffice, Viewer
from replicator.api.v1.parameters import USUAL_LIMIT, Cursor, Limit, RunId, Text
from replicator.api.v1.run_models import ActionAnswer, ActionPage, RunAnswer, RunPage
from replicator.planning.plan import Decision
from replicator.store.records import Outcome, RunState

router = APIRouter(tags=["runs"])


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
