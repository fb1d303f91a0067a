"""The places of a copy where a test may stop, delay or kill it; nothing happens there otherwise."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias


class FailPoint(enum.StrEnum):
    """Every named step, in the order in which a copy passes them."""

    AFTER_MANIFEST_GET = "after_manifest_get"
    AFTER_MOUNT = "after_mount"
    AFTER_UPLOAD_POST = "after_upload_post"
    BEFORE_BLOB_PUT = "before_blob_put"
    AFTER_BLOB_PUT = "after_blob_put"
    BEFORE_CHILD_PUT = "before_child_put"
    AFTER_CHILD_PUT = "after_child_put"
    BEFORE_INDEX_PUT = "before_index_put"
    AFTER_INDEX_PUT = "after_index_put"
    BEFORE_REFERRER_PUT = "before_referrer_put"
    AFTER_REFERRER_PUT = "after_referrer_put"
    BEFORE_TAG_PUT = "before_tag_put"
    AFTER_TAG_PUT = "after_tag_put"


PassPoint: TypeAlias = Callable[[FailPoint], None]


def pass_by(point: FailPoint, /) -> None:
    """Do nothing: what production does at every fail-point."""


@contextmanager
def around(pass_point: PassPoint, before: FailPoint, after: FailPoint) -> Iterator[None]:
    """Pass the points before and after a step; the second one only when the step succeeded."""
    pass_point(before)
    yield
    pass_point(after)
