"""Routes of the status: how everything is doing."""

from __future__ import annotations

from fastapi import APIRouter

from replicator.api.v1.access import FromOffice, Viewer
from replicator.api.v1.parameters import USUAL_LIMIT, Cursor, Limit, RuleName, Text
from replicator.api.v1.rule_models import StatusAnswer, StatusPage

router = APIRouter(tags=["status"])


@router.get("/status", operation_id="listStatus")
async def list_status(
    office: FromOffice,
    who: Viewer,
    cursor: Cursor = None,
    limit: Limit = USUAL_LIMIT,
    text: Text = None,
) -> StatusPage:
    """Say of each rule when it last succeeded, when it is due, and which tags fail."""
    page = await office.rules.status(who, cursor=cursor, limit=limit, text=text)
    return StatusPage(items=list(map(StatusAnswer.of, page.items)), next=page.next)


@router.get("/rules/{rule}/status", operation_id="showStatus")
async def show_status(office: FromOffice, who: Viewer, rule: RuleName) -> StatusAnswer:
    """Say how one rule is doing."""
    return StatusAnswer.of(await office.rules.status_of(who, rule))
