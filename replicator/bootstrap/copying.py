"""What copies images, loaded with the first of them: most runs find that there is none to copy."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replicator.events import Listener
    from replicator.transfer.bookmarks import Unfinished
    from replicator.transfer.copy import Transfer
    from replicator.transfer.fail_points import PassPoint
    from replicator.transfer.inventory import Inventory
    from replicator.transfer.order import Order, Result


class LateTransfer:
    """A copier that makes a Transfer of what it is given, when there is something to copy."""

    def __init__(
        self,
        *,
        inventory: Inventory,
        unfinished: Unfinished,
        listener: Listener,
        fail_point: PassPoint,
    ) -> None:
        self._inventory = inventory
        self._unfinished = unfinished
        self._listener = listener
        self._fail_point = fail_point

    async def copy(self, order: Order) -> tuple[Result, ...]:
        """Carry out *order*; see Transfer."""
        return await self._transfer.copy(order)

    @cached_property
    def _transfer(self) -> Transfer:
        from replicator.transfer.copy import Transfer

        return Transfer(
            inventory=self._inventory,
            unfinished=self._unfinished,
            listener=self._listener,
            fail_point=self._fail_point,
        )
