"""The screen of all rules and registries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from starlette.requests import Request
from starlette.responses import Response

from replicator.errors import InvalidRequest
from replicator.page import words
from replicator.page.plots import Plot, bars_by_day, spark
from replicator.page.registry_lines import registry_lines, requests_plot
from replicator.page.site import LIMIT, Site, asked
from replicator.page.visitor import visitor_of
from replicator.service.access.identity import Identity
from replicator.service.views.overview import Standing
from replicator.store.traffic import Moved

# In the order in which they are worth a look.
_ORDER = (
    Standing.FAILING,
    Standing.LATE,
    Standing.RUNNING,
    Standing.IN_STEP,
    Standing.NEW,
    Standing.RESTING,
)


class OverviewScreen:
    """Shows what is in step and what is not, a page of rules at a time."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        who, office = visitor_of(request).identity, self._site.office
        text, standing = asked(request, "text"), _standing(asked(request, "standing"))
        cursor = asked(request, "cursor")
        found = await office.overview.page(
            who, cursor=cursor, limit=LIMIT, text=text, standing=standing
        )
        names = [line.rule.name for line in found.lines.items]
        moved, days = await office.traffic.of_rules(names), office.traffic.days
        return self._site.pages.page(
            request,
            "overview.html",
            lines=found.lines.items,
            next=found.lines.next,
            cursor=cursor,
            numbers=[(each, found.numbers.get(each, 0)) for each in _ORDER],
            total=sum(found.numbers.values()),
            text=text,
            wanted=standing,
            sparks={name: spark(days, moved.get(name, {})) for name in names},
            sums={name: sum(moved.get(name, {}).values()) for name in names},
            registries=await registry_lines(office, who),
            plots=await self._plots(who, days),
        )

    async def _plots(self, who: Identity, days: Sequence[date]) -> Sequence[Plot]:
        traffic = self._site.office.traffic
        plots = [moved_plot("Bytes per day", days, await traffic.by_day(who))]
        if who.sees_all:
            requests = await traffic.requests(who)
            plots.append(requests_plot("Requests per registry", days, requests, by_registry=True))
        return plots


def moved_plot(title: str, days: Sequence[date], moved: Mapping[date, Moved]) -> Plot:
    """Draw how bytes came to be where they should be."""
    series = {
        "moved": {day: float(each.moved) for day, each in moved.items()},
        "mounted": {day: float(each.mounted) for day, each in moved.items()},
        "skipped": {day: float(each.skipped) for day, each in moved.items()},
    }
    return bars_by_day(title, days, series, words.size, binary=True)


def _standing(name: str | None) -> Standing | None:
    try:
        return None if name is None else Standing(name)
    except ValueError:
        raise InvalidRequest("no rule is in such a standing", field="standing") from None
