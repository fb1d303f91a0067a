"""Routes of rules: what should be kept in step."""

from __future__ import annotations

from fastapi import APIRouter

from replicator.api.v1.access import FromOffice, Viewer
from replicator.api.v1.parameters import USUAL_LIMIT, Cursor, Limit, RuleName, Text
from replicator.api.v1.rule_models import RuleAnswer, RulePage

router = APIRouter(tags=["rules"])


@router.get("/rules", operation_id="listRules")
async def list_rules(
    office: FromOffice,
    who: Viewer,
    cursor: Cursor = None,
    limit: Limit = USUAL_LIMIT,
    text: Text = None,
    enabled: bool | None = None,
) -> RulePage:
    """List rules by name. `text` is a part of a name, a source or a destination."""
    page = await office.rules.page(who, cursor=cursor, limit=limit, text=text, enabled=enabled)
    return RulePage(items=list(map(RuleAnswer.of, page.items)), next=page.next)


@router.get("/rules/{rule}", operation_id="showRule")
async def show_rule(office: FromOffice, who: Viewer, rule: RuleName) -> RuleAnswer:
    """Show one rule, in the words of the configuration file."""
    return RuleAnswer.of(await office.rules.one(who, rule))
