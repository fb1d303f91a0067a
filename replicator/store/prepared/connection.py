"""Connection: what carries out prepared statements, whatever the database is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from replicator.store.prepared.statement import Prepared, Values


class Connection(Protocol):
    """A transaction that is open."""

    async def execute(self, statement: Prepared, values: Values = ...) -> Sequence[Any]:
        """Carry out a statement, once for each of *values* if they are several; return rows.

        Raises StoreError when the transaction ends.
        """
        ...
