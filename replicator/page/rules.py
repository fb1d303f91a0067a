"""The screen of one rule, and the forms that change rules."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from replicator.errors import InvalidRequest, RegistryError, ReplicatorError
from replicator.page import rule_text
from replicator.page.forms import Form, go_to
from replicator.page.mistakes import mistake
from replicator.page.overview import moved_plot
from replicator.page.plots import lag_line
from replicator.page.rendering import quoted
from replicator.page.site import Site, asked
from replicator.page.visitor import Visitor, visitor_of
from replicator.planning.error_budget import ALLOWED
from replicator.planning.plan import Decision
from replicator.planning.rule import Origin, Rule
from replicator.service.access.identity import Role
from replicator.service.records.report import RunReport

_RUNS = 20
_PLANNED = 200


class RuleScreen:
    """Shows a rule, what it would do, and what it did; lets it be changed."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._office = site.office

    async def show(self, request: Request) -> Response:
        return await self._shown(request, visitor_of(request))

    async def plan(self, request: Request, visitor: Visitor, form: Form) -> Response:
        """Show what a run would do. Registries are asked; nothing is changed."""
        visitor.identity.require(Role.OPERATOR)
        try:
            report = await self._office.rule_desk.plan(visitor.identity, _name(request))
        except RegistryError as error:
            return await self._shown(request, visitor, plan_error=str(error))
        return await self._shown(request, visitor, plan=report)

    async def run(self, request: Request, visitor: Visitor, form: Form) -> Response:
        visitor.identity.require(Role.OPERATOR)
        record = await self._office.run_desk.start(visitor.identity, _name(request))
        return go_to(f"/runs/{record.id}")

    async def enable(self, request: Request, visitor: Visitor, form: Form) -> Response:
        return await self._switch(request, visitor, enabled=True)

    async def disable(self, request: Request, visitor: Visitor, form: Form) -> Response:
        return await self._switch(request, visitor, enabled=False)

    async def new(self, request: Request) -> Response:
        visitor_of(request).identity.require(Role.ADMIN)
        return self._form(request, None, rule_text.NEW)

    async def create(self, request: Request, visitor: Visitor, form: Form) -> Response:
        visitor.identity.require(Role.ADMIN)
        text = form.get("text", "")
        try:
            wanted = rule_text.read(text)
            if "preview" in form:
                return await self._previewed(request, None, text, wanted)
            kept = await self._office.rule_desk.create(visitor.identity, wanted)
        except ReplicatorError as error:
            return self._form(request, None, text, error=error)
        return go_to(f"/rules/{kept.name}")

    async def edit(self, request: Request) -> Response:
        visitor = visitor_of(request)
        visitor.identity.require(Role.ADMIN)
        rule = await self._office.rules.one(visitor.identity, _name(request))
        return self._form(request, rule, rule_text.write(rule), revision=rule.revision)

    async def replace(self, request: Request, visitor: Visitor, form: Form) -> Response:
        visitor.identity.require(Role.ADMIN)
        name, text = _name(request), form.get("text", "")
        rule = await self._office.rules.one(visitor.identity, name)
        revision = _revision(form)
        try:
            wanted = rule_text.read(text)
            if "preview" in form:
                return await self._previewed(request, rule, text, wanted, revision=revision)
            kept = await self._office.rule_desk.replace(visitor.identity, name, wanted, revision)
        except ReplicatorError as error:
            return self._form(request, rule, text, revision=revision, error=error)
        return go_to(f"/rules/{kept.name}")

    async def ask_to_delete(self, request: Request) -> Response:
        visitor = visitor_of(request)
        visitor.identity.require(Role.ADMIN)
        rule = await self._office.rules.one(visitor.identity, _name(request))
        return self._site.pages.confirm(
            request,
            title=f"Delete {rule.name}?",
            words=f"What it copied from {rule.source} stays where it is, and so does its history. "
            "The definition is gone; the activity keeps it for who looks there.",
            button="Delete the rule",
            crumbs=[("Overview", "/"), (rule.name, f"/rules/{quoted(rule.name)}")],
        )

    async def delete(self, request: Request, visitor: Visitor, form: Form) -> Response:
        visitor.identity.require(Role.ADMIN)
        await self._office.rule_desk.delete(visitor.identity, _name(request))
        return go_to("/")

    async def _previewed(
        self, request: Request, rule: Rule | None, text: str, wanted: Rule, *, revision: int = 0
    ) -> Response:
        """Show what a rule would do as it is written. Raises what says that it cannot be kept."""
        who = visitor_of(request).identity
        try:
            plan = await self._office.rule_desk.plan_of(who, wanted)
        except RegistryError as error:
            return self._form(request, rule, text, revision=revision, plan_error=str(error))
        return self._form(request, rule, text, revision=revision, plan=plan)

    async def _switch(self, request: Request, visitor: Visitor, *, enabled: bool) -> Response:
        visitor.identity.require(Role.OPERATOR)
        name = _name(request)
        await self._office.rule_desk.switch(visitor.identity, name, enabled=enabled)
        return go_to(f"/rules/{quoted(name)}")

    async def _shown(
        self,
        request: Request,
        visitor: Visitor,
        *,
        plan: RunReport | None = None,
        plan_error: str = "",
    ) -> Response:
        who, name = visitor.identity, _name(request)
        line, failing = await self._office.overview.one(who, name)
        cursor = asked(request, "cursor")
        runs = await self._office.runs.page(who, cursor=cursor, limit=_RUNS, rule=name)
        traffic = self._office.traffic
        spans, now = await traffic.spans(who, name), self._site.clock()
        return self._site.pages.page(
            request,
            "rule.html",
            rule=line.rule,
            line=line,
            failing=failing,
            allowed=ALLOWED,
            definition=rule_text.write(line.rule),
            is_of_file=line.rule.origin is Origin.FILE,
            runs=runs.items,
            next=runs.next,
            cursor=cursor,
            plots=[
                moved_plot("Bytes per day", traffic.days, await traffic.by_day(who, name)),
                lag_line("Lag", traffic.days, spans, line.rule.objective, now),
            ],
            **_planned(plan, plan_error),
            is_kept=True,
        )

    def _form(
        self,
        request: Request,
        rule: Rule | None,
        text: str,
        *,
        revision: int = 0,
        error: ReplicatorError | None = None,
        plan: RunReport | None = None,
        plan_error: str = "",
    ) -> Response:
        return self._site.pages.page(
            request,
            "rule_edit.html",
            200 if error is None else 422,
            rule=rule,
            text=text,
            revision=revision,
            mistake=None if error is None else mistake(text, error),
            is_of_file=rule is not None and rule.origin is Origin.FILE,
            **_planned(plan, plan_error),
        )


def _name(request: Request) -> str:
    return str(request.path_params["rule"])


def _revision(form: Form) -> int:
    text = form.get("revision", "")
    if not text.isdecimal() or len(text) > 9:
        raise InvalidRequest("say which revision was edited", field="revision")
    return int(text)


def _planned(plan: RunReport | None, error: str) -> dict[str, Any]:
    """Return what the part of a page that shows a plan is made of."""
    return {"plan": plan, "planned": _ordered(plan), "most": _PLANNED, "plan_error": error}


def _ordered(plan: RunReport | None) -> list[tuple[str, int]]:
    """Return how many tags there are of each decision, those first that change something."""
    if plan is None:
        return []
    order = (Decision.COPY, Decision.PRUNE, Decision.CONFLICT, Decision.BLOCKED, Decision.SKIP)
    numbers = [(each, sum(a.decision is each for a in plan.actions)) for each in order]
    return [(each.value, number) for each, number in numbers if number]
