"""Runs of single processes, and their actions."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Text, bindparam, select, update

from replicator.store.prepared.sources.source import Source, row_of
from replicator.store.tables import BYTES, action, run
from replicator.store.upsert import insert_new_into, upsert_into

_STARTED = (
    *("id", "rule", "snapshot", "trigger", "state", "owner", "leased_until", "started_at"),
    *("counts", "bytes_moved", "bytes_mounted", "bytes_skipped", "requests", "error", "attempt"),
)
_ENDED = (
    *("state", "finished_at", "counts", "bytes_moved", "bytes_mounted", "bytes_skipped"),
    *("requests", "error"),
)


def sources(dialect: str) -> Mapping[str, Source]:
    """Return the statements about runs."""
    columns, me = run.c, bindparam("me", type_=Text())
    unfinished = columns.finished_at.is_(None)
    mine = columns.owner == me, unfinished
    among = columns.id.in_(bindparam("runs", expanding=True))
    others = (
        select(columns.number, columns.owner, columns.leased_until, columns.cancel_at)
        .where(unfinished, columns.queued_at.is_(None), columns.owner != me)
        # Whoever writes about his runs just now is there; to wait for him could be for ever, as he
        # may wait for another of them.
        .with_for_update(skip_locked=True)
    )
    added = insert_new_into(dialect, run, columns.rule, unfinished)
    number = select(columns.number).where(columns.id == bindparam("run"), *mine)
    return {
        "OTHERS_UNFINISHED": Source(others),
        "END_RUN": Source(
            update(run).where(columns.number == bindparam("of_number")),
            ("state", "finished_at", "error"),
        ),
        "ACTIVE_RUN": Source(select(run).where(columns.rule == bindparam("of_rule"), unfinished)),
        "ADD_RUN": Source(added.returning(columns.id, columns.number), _STARTED),
        "RENEW_RUNS": Source(update(run).where(among, *mine), ("leased_until",)),
        "TAKEN_RUNS": Source(select(columns.id).where(among, columns.owner != me)),
        "RUNS_TO_CANCEL": Source(select(columns.id).where(*mine, columns.cancel_at.is_not(None))),
        "NUMBER_OF_MINE": Source(number.with_for_update()),
        "SAVE_ACTION": Source(upsert_into(dialect, action), row_of(action)),
        "MINE_AMONG": Source(select(columns.id).where(among, *mine).with_for_update()),
        "ADD_MOVED": Source(
            update(run)
            .where(columns.id == bindparam("of_id"), unfinished)
            .values({each: columns[each] + bindparam(f"more_{each}") for each in BYTES})
        ),
        "FINISH_RUN": Source(update(run).where(columns.id == bindparam("of_id")), _ENDED),
    }
