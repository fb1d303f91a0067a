"""AuditViews: who changed what, for those who see everything."""

from __future__ import annotations

from typing import Protocol

from replicator.errors import AccessDenied
from replicator.service.access.identity import Identity
from replicator.service.views.paging import Page, page_of, read_cursor
from replicator.store.audit_trail import AuditRecord, Verification


class Audit(Protocol):
    """Remembers changes."""

    async def page(
        self,
        *,
        before: int | None,
        limit: int,
        kind: str | None = None,
        name: str | None = None,
        actor: str | None = None,
    ) -> tuple[AuditRecord, ...]: ...

    async def verify(self) -> Verification: ...


class AuditViews:
    """Shows changes, newest first."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit

    async def page(
        self,
        who: Identity,
        *,
        cursor: str | None,
        limit: int,
        kind: str | None = None,
        name: str | None = None,
        actor: str | None = None,
    ) -> Page[AuditRecord]:
        """Return changes; raises AccessDenied for who is limited to some rules."""
        _require_all(who)
        before = read_cursor(cursor, int)
        found = await self._audit.page(
            before=None if before is None else before[0],
            limit=limit + 1,
            kind=kind,
            name=name,
            actor=actor,
        )
        return page_of(found, limit, lambda record: (record.id,))

    async def verify(self, who: Identity) -> Verification:
        """Walk along the whole chain of hashes. Raises AccessDenied."""
        _require_all(who)
        return await self._audit.verify()


def _require_all(who: Identity) -> None:
    if not who.sees_all:
        raise AccessDenied("the audit is about all rules, and you see some of them")
