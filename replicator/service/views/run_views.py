"""RunViews: runs, their tags and how far they are, for who may see them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from replicator.errors import RunNotFound
from replicator.planning.plan import Decision
from replicator.service.access.identity import Identity
from replicator.service.views.paging import Page, page_of, read_cursor
from replicator.store.records import ActionRecord, Outcome, RunRecord, RunState
from replicator.store.run_pages import ActionKey, Progress


class RunPages(Protocol):
    """Reads the history piece by piece."""

    async def runs(
        self,
        *,
        before: int | None,
        limit: int,
        rule: str | None = None,
        state: RunState | None = None,
        covers: Callable[[str], bool] | None = None,
    ) -> tuple[RunRecord, ...]: ...

    async def find(self, run_id: str) -> RunRecord: ...

    async def actions(
        self,
        number: int,
        *,
        after: ActionKey | None,
        limit: int,
        outcome: Outcome | None = None,
        decision: Decision | None = None,
        text: str | None = None,
    ) -> tuple[ActionRecord, ...]: ...

    async def progress(self, record: RunRecord) -> Progress: ...


class RunViews:
    """Shows runs, newest first. A run of a rule out of sight is as one that is not there."""

    def __init__(self, pages: RunPages) -> None:
        self._pages = pages

    async def page(
        self,
        who: Identity,
        *,
        cursor: str | None,
        limit: int,
        rule: str | None = None,
        state: RunState | None = None,
    ) -> Page[RunRecord]:
        before = read_cursor(cursor, int)
        found = await self._pages.runs(
            before=None if before is None else before[0],
            limit=limit + 1,
            rule=rule,
            state=state,
            covers=None if who.sees_all else who.covers,
        )
        return page_of(found, limit, lambda run: (run.number,))

    async def one(self, who: Identity, run_id: str) -> RunRecord:
        """Return a run by its whole id. Raises RunNotFound."""
        record = await self._pages.find(run_id)
        if not who.covers(record.rule.name):
            raise RunNotFound(f"there is no run {run_id!r}")
        return record

    async def actions(
        self,
        who: Identity,
        run_id: str,
        *,
        cursor: str | None,
        limit: int,
        outcome: Outcome | None = None,
        decision: Decision | None = None,
        text: str | None = None,
    ) -> Page[ActionRecord]:
        """Return the tags of a run by destination. Raises RunNotFound."""
        after = read_cursor(cursor, str, str, str)
        record = await self.one(who, run_id)
        found = await self._pages.actions(
            record.number,
            after=None if after is None else (after[0], after[1], after[2]),
            limit=limit + 1,
            outcome=outcome,
            decision=decision,
            text=text,
        )
        return page_of(found, limit, _key)

    async def progress(self, record: RunRecord) -> Progress:
        """Return how far a run is, as far as it has been written down."""
        return await self._pages.progress(record)


def _key(action: ActionRecord) -> ActionKey:
    return action.destination.registry, action.destination.path, str(action.tag)
