"""The places of a served run where a test may stop, delay or kill it; see transfer/fail_points."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TypeAlias


class Step(enum.StrEnum):
    """Every named step of a service, in the order in which a run passes them."""

    AFTER_FIRE = "after_fire"
    AFTER_CLAIM = "after_claim"
    AFTER_LISTING_BATCH = "after_listing_batch"
    AFTER_LISTING = "after_listing"
    BEFORE_SPLIT = "before_split"
    AFTER_SPLIT = "after_split"
    BEFORE_ITEM_DONE = "before_item_done"
    AFTER_ITEM_DONE = "after_item_done"
    AFTER_CLOSING_CLAIM = "after_closing_claim"
    BEFORE_RUN_FINISH = "before_run_finish"
    AFTER_RUN_FINISH = "after_run_finish"
    BEFORE_RELEASE = "before_release"
    AFTER_RELEASE = "after_release"


PassStep: TypeAlias = Callable[[Step], None]


def pass_by(step: Step, /) -> None:
    """Do nothing: what production does at every step."""
