"""Routes of the audit: who changed what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter

from replicator.api.v1.access import FromOffice, Viewer
from replicator.api.v1.parameters import USUAL_LIMIT, Answer, Cursor, Limit, Listing, Text
from replicator.store.audit_trail import AuditRecord

router = APIRouter(tags=["audit"])


class AuditAnswer(Answer):
    """A change: who, when, by which way, to what. Secrets are only said to have changed."""

    id: int
    at: datetime
    actor: str
    via: str
    action: str
    kind: str
    name: str
    old: dict[str, Any] | None
    new: dict[str, Any] | None
    hash: str

    @classmethod
    def of(cls, record: AuditRecord) -> AuditAnswer:
        change = record.change
        return cls(
            id=record.id,
            at=record.at,
            actor=record.actor,
            via=record.via,
            action=change.action,
            kind=change.kind,
            name=change.name,
            old=None if change.old is None else dict(change.old),
            new=None if change.new is None else dict(change.new),
            hash=record.hash,
        )


class AuditPage(Listing):
    items: list[AuditAnswer]


class VerificationAnswer(Answer):
    """Whether the chain of hashes is whole; `broken_at` is the first row that does not fit."""

    rows: int
    head: str
    broken_at: int | None


@router.get("/audit", operation_id="listAudit")
async def list_audit(
    office: FromOffice,
    who: Viewer,
    cursor: Cursor = None,
    limit: Limit = USUAL_LIMIT,
    kind: Text = None,
    name: Text = None,
    actor: Text = None,
) -> AuditPage:
    """List changes, newest first; not for tokens that are limited to some rules."""
    page = await office.audit.page(
        who, cursor=cursor, limit=limit, kind=kind, name=name, actor=actor
    )
    return AuditPage(items=list(map(AuditAnswer.of, page.items)), next=page.next)


@router.get("/audit/verification", operation_id="verifyAudit")
async def verify_audit(office: FromOffice, who: Viewer) -> VerificationAnswer:
    """Walk along the whole chain of hashes."""
    found = await office.audit.verify(who)
    return VerificationAnswer(rows=found.rows, head=found.head, broken_at=found.broken_at)
