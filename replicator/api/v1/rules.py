"""Routes of rules: what should be kept in step."""

from __future__ import annotations

import re
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Response

from replicator.api.v1.access import Admin, FromOffice, Operator, Viewer
from replicator.api.v1.parameters import USUAL_LIMIT, Cursor, Limit, RuleName, Text
from replicator.api.v1.plan_models import PlanAnswer
from replicator.api.v1.rule_models import Definition, RuleAnswer, RulePage
from replicator.config.rules import read_rule
from replicator.errors import InvalidRequest
from replicator.planning.rule import Rule

router = APIRouter(tags=["rules"])

_REVISION: Final = re.compile(r'(?:W/)?"?([0-9]{1,9})"?', re.ASCII)


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


@router.post("/rules", operation_id="createRule", status_code=201)
async def create_rule(
    office: FromOffice, who: Admin, definition: Definition, response: Response
) -> RuleAnswer:
    """Keep a new rule. It is checked as a whole, and together with all others."""
    return _told(await office.rule_desk.create(who, _rule(definition)), response)


@router.post("/rules/validation", operation_id="validateRule", status_code=204)
async def validate_rule(office: FromOffice, who: Admin, definition: Definition) -> None:
    """Check a rule as if it were to be kept, and keep nothing."""
    await office.rule_desk.validate(who, _rule(definition))


@router.post("/rules/plan", operation_id="planDefinition")
async def plan_definition(
    office: FromOffice, who: Admin, definition: Definition, limit: Limit = USUAL_LIMIT
) -> PlanAnswer:
    """Say what a rule would do that is not kept yet. Registries are asked; nothing is changed."""
    return PlanAnswer.of(await office.rule_desk.plan_of(who, _rule(definition)), limit)


@router.get("/rules/{rule}", operation_id="showRule")
async def show_rule(
    office: FromOffice, who: Viewer, rule: RuleName, response: Response
) -> RuleAnswer:
    """Show one rule, in the words of the configuration file."""
    return _told(await office.rules.one(who, rule), response)


@router.put("/rules/{rule}", operation_id="replaceRule")
async def replace_rule(
    office: FromOffice,
    who: Admin,
    rule: RuleName,
    definition: Definition,
    response: Response,
    if_match: Annotated[
        str | None, Header(max_length=100, description="The ETag of the rule that was edited.")
    ] = None,
    revision: Annotated[
        int | None, Query(ge=1, le=10**9, description="The same as a number.")
    ] = None,
) -> RuleAnswer:
    """Replace a rule by another definition. If somebody has changed it meanwhile, nothing is
    done."""
    edited = _edited(if_match, revision)
    kept = await office.rule_desk.replace(who, rule, _rule(definition), edited)
    return _told(kept, response)


@router.delete("/rules/{rule}", operation_id="deleteRule", status_code=204)
async def delete_rule(office: FromOffice, who: Admin, rule: RuleName) -> None:
    """Forget a rule. What it copied stays, and so does its history."""
    await office.rule_desk.delete(who, rule)


@router.post("/rules/{rule}/enable", operation_id="enableRule")
async def enable_rule(office: FromOffice, who: Operator, rule: RuleName) -> RuleAnswer:
    """Let a rule be carried out when it is due."""
    return RuleAnswer.of(await office.rule_desk.switch(who, rule, enabled=True))


@router.post("/rules/{rule}/disable", operation_id="disableRule")
async def disable_rule(office: FromOffice, who: Operator, rule: RuleName) -> RuleAnswer:
    """Let a rule rest; it is carried out only when somebody asks for it."""
    return RuleAnswer.of(await office.rule_desk.switch(who, rule, enabled=False))


@router.post("/rules/{rule}/plan", operation_id="planRule")
async def plan_rule(
    office: FromOffice, who: Operator, rule: RuleName, limit: Limit = USUAL_LIMIT
) -> PlanAnswer:
    """Say what a run would do now, and why. Registries are asked; nothing is changed."""
    return PlanAnswer.of(await office.rule_desk.plan(who, rule), limit)


def _rule(definition: Definition) -> Rule:
    return read_rule(definition.table())


def _told(rule: Rule, response: Response) -> RuleAnswer:
    response.headers["ETag"] = f'"{rule.revision}"'
    return RuleAnswer.of(rule)


def _edited(if_match: str | None, revision: int | None) -> int:
    """Return the revision that was edited. Raises InvalidRequest."""
    if revision is not None:
        return revision
    found = _REVISION.fullmatch(if_match or "")
    if found is None:
        raise InvalidRequest(
            "say which revision was edited, by If-Match or revision", field="revision"
        )
    return int(found[1])
