"""Uploads that are open at registries."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Text, and_, bindparam, delete, or_, select, update

from replicator.store.operating_tables import upload_session
from replicator.store.prepared.sources.source import Source, row_of
from replicator.store.tables import run, service
from replicator.store.upsert import upsert_into


def sources(dialect: str) -> Mapping[str, Source]:
    """Return the statements about unfinished uploads, and about who may be at work on them."""
    columns, me = upload_session.c, bindparam("me", type_=Text())
    this = and_(
        columns.registry == bindparam("at_registry"),
        columns.repository == bindparam("in_repository"),
        columns.digest == bindparam("of_digest"),
    )
    old = and_(
        columns.updated_at < bindparam("old"),
        or_(columns.owner != me, columns.updated_at < bindparam("very_old")),
    )
    serves = select(service.c.owner).where(
        service.c.owner == bindparam("of_owner"), service.c.seen_at >= bindparam("since")
    )
    keeps = select(run.c.number).where(
        run.c.owner == bindparam("of_owner"),
        run.c.finished_at.is_(None),
        run.c.leased_until >= bindparam("now"),
    )
    return {
        "UPLOAD": Source(select(upload_session).where(this).with_for_update()),
        "TAKE_UPLOAD": Source(update(upload_session).where(this), ("owner", "updated_at")),
        "KEEP_UPLOAD": Source(upsert_into(dialect, upload_session), row_of(upload_session)),
        "DROP_MY_UPLOAD": Source(delete(upload_session).where(this, columns.owner == me)),
        "DROP_UPLOAD": Source(delete(upload_session).where(this)),
        "OLD_UPLOADS": Source(select(upload_session).where(old).with_for_update()),
        "SERVES": Source(serves),
        "KEEPS_A_RUN": Source(keeps),
    }
