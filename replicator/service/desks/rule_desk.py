"""RuleDesk: where people change rules, each within what may concern them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from replicator.errors import (
    AccessDenied,
    ConfigError,
    InvalidRequest,
    NameTaken,
    RegistryUnavailable,
)
from replicator.planning.rule import Rule
from replicator.service.access.identity import Identity
from replicator.service.records.report import RunReport
from replicator.service.rules.rule_changes import refuse_file_rule
from replicator.service.rules.rulebook import Rulebook
from replicator.service.views.rule_views import RuleViews

# Seconds that whoever asks for a plan waits for it.
_PATIENCE: Final = 120


class RuleDesk:
    """Changes rules. A rule that *who* may not see is as one that is not there.

    *check_listable* asks registries whether a rule can work at all; *preview* makes the plan of
    one and changes nothing.
    """

    def __init__(
        self,
        rulebook: Rulebook,
        views: RuleViews,
        *,
        check_listable: Callable[[Sequence[Rule]], Awaitable[None]],
        preview: Callable[[Rule], Awaitable[RunReport]],
    ) -> None:
        self._rulebook = rulebook
        self._views = views
        self._check_listable = check_listable
        self._preview = preview

    async def create(self, who: Identity, rule: Rule) -> Rule:
        """Keep a new rule. Raises AccessDenied, NameTaken, ConfigError."""
        _require_covered(who, rule)
        if any(rule.name == each.name for each in await self._rulebook.all()):
            raise NameTaken(f"there is a rule {rule.name!r} already")
        await self._check(who, rule)
        return await self._rulebook.add(rule)

    async def replace(self, who: Identity, name: str, rule: Rule, revision: int) -> Rule:
        """Change a rule that is at *revision*. Raises RuleNotFound, RuleConflict, ConfigError."""
        refuse_file_rule(await self._views.one(who, name))
        if rule.name != name:
            raise InvalidRequest("a rule keeps its name; make a new one", field="name")
        await self._check(who, rule)
        return await self._rulebook.change(name, lambda _: replace(rule, revision=revision))

    async def switch(self, who: Identity, name: str, *, enabled: bool) -> Rule:
        """Let a rule rest, or be carried out when it is due. Raises RuleNotFound, ConfigError."""
        await self._views.one(who, name)
        return await self._rulebook.change(name, lambda rule: replace(rule, enabled=enabled))

    async def delete(self, who: Identity, name: str) -> None:
        """Forget a rule; its history stays. Raises RuleNotFound, ConfigError."""
        await self._views.one(who, name)
        await self._rulebook.remove(name)

    async def validate(self, who: Identity, rule: Rule) -> None:
        """Make sure that a rule could be kept as it is. Raises AccessDenied, ConfigError."""
        _require_covered(who, rule)
        await self._check(who, rule)

    async def plan(self, who: Identity, name: str) -> RunReport:
        """Return what a run of a rule would do. Raises RuleNotFound."""
        return await self._planned(await self._views.one(who, name))

    async def plan_of(self, who: Identity, rule: Rule) -> RunReport:
        """Return what a run of a rule that is not kept yet would do. Raises ConfigError."""
        await self.validate(who, rule)
        return await self._planned(rule)

    async def _planned(self, rule: Rule) -> RunReport:
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._preview(rule)
        except TimeoutError:
            raise RegistryUnavailable(
                f"the plan of {rule.name!r} was not made within {_PATIENCE} seconds; "
                "`replicate plan` waits longer"
            ) from None

    async def _check(self, who: Identity, rule: Rule) -> None:
        """Check a rule by itself and together with all others."""
        hidden = [each.name for each in await self._rulebook.all() if not who.covers(each.name)]
        with _without_names(hidden):
            await self._rulebook.compare([rule], prune=False)
        await self._check_listable([rule])


@contextmanager
def _without_names(hidden: Sequence[str]) -> Iterator[None]:
    """Let no message name a rule that whoever asks may not know of."""
    try:
        yield
    except ConfigError as error:
        if any(f'"{name}"' in str(error) or repr(name) in str(error) for name in hidden):
            raise ConfigError("it would write what a rule writes that you may not see") from None
        raise


def _require_covered(who: Identity, rule: Rule) -> None:
    if not who.covers(rule.name):
        raise AccessDenied(
            f"{who.subject} is limited to rules named {', '.join(who.patterns or ())}"
        )
