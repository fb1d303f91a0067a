"""Registries, a line each: those that are known, and those that were asked anything lately."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date

from replicator.office import Office
from replicator.page import words
from replicator.page.plots import Plot, bars_by_day
from replicator.registry.profile import profile_for
from replicator.service.access.identity import Identity
from replicator.service.views.registry_condition import Condition
from replicator.service.views.registry_views import KnownRegistry
from replicator.store.traffic import Requested
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class RegistryLine:
    """A registry; *known* is None when nothing is configured about it."""

    name: str
    kind: str
    known: KnownRegistry | None
    condition: Condition
    today: int
    before: int


async def registry_lines(office: Office, who: Identity) -> Sequence[RegistryLine]:
    """Return all registries by name; none to somebody who is limited to some rules."""
    if not who.sees_all:
        return ()
    known = await office.registries.all(who)
    conditions = await office.conditions.all(who)
    requests, today = await office.traffic.requests(who), office.traffic.days[-1]
    asked, asked_today = Counter[str](), Counter[str]()
    for each in requests:
        asked[each.registry] += each.number
        if each.day == today:
            asked_today[each.registry] += each.number
    return [
        RegistryLine(
            name,
            kind_of(name, known.get(name), conditions.get(name)),
            known.get(name),
            conditions.get(name, Condition()),
            asked_today[name],
            asked[name],
        )
        for name in sorted({*known, *asked})
    ]


def kind_of(name: str, known: KnownRegistry | None, condition: Condition | None) -> str:
    """Return the kind that is set, that was found, or that the name tells."""
    if known is not None and known.settings.kind:
        return known.kind
    if condition is not None and condition.facts is not None:
        return condition.facts.kind
    return profile_for(name, "").kind


def requests_plot(
    title: str, days: Sequence[date], requests: Sequence[Requested], *, by_registry: bool
) -> Plot:
    """Draw requests, by the registry they went to or else by their kind."""
    series: dict[str, dict[date, float]] = {}
    for each in requests:
        name = each.registry if by_registry else words.plain(each.kind)
        values = series.setdefault(name, {})
        values[each.day] = values.get(each.day, 0) + each.number
    return bars_by_day(title, days, series, words.count)
