"""RuleViews: rules and how they are doing, for who may see them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from replicator.errors import RuleNotFound
from replicator.planning.rule import Rule
from replicator.service.access.identity import Identity
from replicator.service.rules.rulebook import Rulebook
from replicator.service.rules.status import FailingTags, History, RuleStatus, status_of
from replicator.service.views.paging import Page, page_by_name


class RuleViews:
    """Shows rules by name, a page at a time. A rule out of sight is as one that is not there."""

    def __init__(
        self,
        rulebook: Rulebook,
        *,
        history: History,
        notes: FailingTags,
        clock: Callable[[], datetime],
    ) -> None:
        self._rulebook = rulebook
        self._history = history
        self._notes = notes
        self._clock = clock

    async def page(
        self,
        who: Identity,
        *,
        cursor: str | None,
        limit: int,
        text: str | None = None,
        enabled: bool | None = None,
    ) -> Page[Rule]:
        """Return rules; *text* is a part of the name, the source or a destination."""
        rules = await self.visible(who)
        found = [
            rule
            for rule in rules
            if (enabled is None or rule.enabled is enabled)
            and (text is None or mentions(rule, text))
        ]
        return page_by_name(found, cursor, limit, lambda rule: rule.name)

    async def one(self, who: Identity, name: str) -> Rule:
        """Return a rule. Raises RuleNotFound, in the same words also for one out of sight."""
        for rule in await self.visible(who):
            if rule.name == name:
                return rule
        raise RuleNotFound(f"there is no rule {name!r}")

    async def visible(self, who: Identity) -> tuple[Rule, ...]:
        """Return all rules that *who* may see, by name."""
        rules = await self._rulebook.as_they_are()
        return tuple(rule for rule in rules if who.covers(rule.name))

    async def status(
        self, who: Identity, *, cursor: str | None, limit: int, text: str | None = None
    ) -> Page[RuleStatus]:
        """Return how rules are doing."""
        rules = await self.page(who, cursor=cursor, limit=limit, text=text)
        return Page(await self._status_of(rules.items), rules.next)

    async def status_of(self, who: Identity, name: str) -> RuleStatus:
        """Return how one rule is doing. Raises RuleNotFound."""
        return (await self._status_of((await self.one(who, name),)))[0]

    async def _status_of(self, rules: tuple[Rule, ...]) -> tuple[RuleStatus, ...]:
        return await status_of(rules, history=self._history, notes=self._notes, clock=self._clock)


def mentions(rule: Rule, text: str) -> bool:
    """Say whether *text* is a part of a rule's name, of its source, or of a destination."""
    return any(
        text.lower() in each.lower() for each in (rule.name, rule.source, *rule.destinations)
    )
