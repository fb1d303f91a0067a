"""How long a server waits for the next word of a process that is in a transaction."""

from __future__ import annotations

from typing import Any, Final

# Our transactions never wait for anything but the database. A process that is paused in one, or cut
# off, would keep from all others what it has locked, for as long as that lasts; its lease would end
# in vain. Less than a lease, and more than a busy machine keeps a process waiting.
_SET: Final = "SET idle_in_transaction_session_timeout = '10s'"


def limit_silence(connection: Any, record: object) -> None:
    """Let the server end a new connection of SQLAlchemy that falls silent in a transaction."""
    cursor = connection.cursor()
    cursor.execute(_SET)
    cursor.close()
    connection.commit()


async def limit_silence_of_driver(connection: Any) -> None:
    """Do the same for a new connection that psycopg has made."""
    await connection.execute(_SET)
    await connection.commit()
