"""Messages about items, sent and taken back in the transaction that changes the items.

On PostgreSQL Procrastinate carries them; see engine. A message only says that an item waits, and
who gets it takes up whichever is next. In a file there are none: all workers are in one process.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

QUEUE: Final = "items"
TASK: Final = "look"


async def send(connection: AsyncConnection, items: Collection[tuple[int, int]]) -> None:
    """Send a message about each of some waiting items, named by their run and number.

    There must be none about them yet: its lock lets one wait for each item.
    """
    if items and is_used(connection):
        runs, numbers = zip(*items, strict=True)
        await connection.execute(_SEND, {"runs": list(runs), "numbers": list(numbers)})


async def withdraw(connection: AsyncConnection, items: Collection[tuple[int, int]]) -> None:
    """Take back the messages about items that are taken up, as far as nobody has read them."""
    if items and is_used(connection):
        await connection.execute(_WITHDRAW, {"locks": [f"{run}/{n}" for run, n in items]})


async def withdraw_run(connection: AsyncConnection, run: int) -> None:
    """Take back all messages about the waiting items of a run."""
    if is_used(connection):
        await connection.execute(_WITHDRAW_RUN, {"run": run})


async def send_again(
    connection: AsyncConnection, *, silent_for: float, limit: int
) -> Collection[tuple[int, int]]:
    """Send messages about waiting items that have none any more; return which.

    Those are items of which nothing was said for so many seconds, at most *limit* of them.
    """
    if not is_used(connection):
        return ()
    found = await connection.execute(_SEND_AGAIN, {"silent_for": silent_for, "limit": limit})
    return [(row.run, row.n) for row in found]


async def forget_read(connection: AsyncConnection, *, older_than: float) -> None:
    """Forget messages whose readers are gone, and those readers."""
    if is_used(connection):
        await connection.execute(_PRUNE_READERS, {"older_than": older_than})
        await connection.execute(_FORGET_READ)


def is_used(connection: AsyncConnection) -> Any:
    """Say whether messages are sent at all."""
    return connection.dialect.name == "postgresql"


# Numerals are written out as they stand in procrastinate_job_to_defer_v1: queue, task, priority,
# lock, queueing lock, arguments, time.
_DEFER: Final = """
procrastinate_defer_jobs_v1(array_agg(ROW(
    'items', 'look', 0, NULL, run || '/' || n, jsonb_build_object('run', run, 'item', n), NULL
)::procrastinate_job_to_defer_v1))
"""
_SEND: Final = text(
    # Nothing but constants of this file is put in.
    f"""
    SELECT {_DEFER} FROM
    unnest(CAST(:runs AS bigint[]), CAST(:numbers AS integer[])) AS items (run, n)
    """  # noqa: S608
)
_WITHDRAW: Final = text(
    """
    DELETE FROM procrastinate_jobs
    WHERE queueing_lock = ANY(CAST(:locks AS text[])) AND status = 'todo'
    """
)
_WITHDRAW_RUN: Final = text(
    """
    DELETE FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock IN
    (SELECT run || '/' || n FROM item WHERE run = CAST(:run AS bigint) AND state = 'waiting')
    """
)
_SEND_AGAIN: Final = text(
    f"""
    WITH lost AS (
        SELECT run, n FROM item
        WHERE state = 'waiting' AND sent_at < now() - make_interval(secs => :silent_for)
        AND NOT EXISTS (
            SELECT FROM procrastinate_jobs
            WHERE status = 'todo' AND queueing_lock = item.run || '/' || item.n
        )
        ORDER BY priority, turn LIMIT :limit FOR UPDATE SKIP LOCKED
    ), sent AS (SELECT {_DEFER} FROM lost HAVING count(*) > 0)
    UPDATE item SET sent_at = now() FROM lost, sent
    WHERE item.run = lost.run AND item.n = lost.n RETURNING item.run, item.n
    """  # noqa: S608
)
_PRUNE_READERS: Final = text("SELECT procrastinate_prune_stalled_workers_v1(:older_than)")
_FORGET_READ: Final = text(
    "DELETE FROM procrastinate_jobs WHERE status <> 'todo' AND worker_id IS NULL"
)
