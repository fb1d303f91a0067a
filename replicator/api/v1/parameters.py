"""Parameters that many routes have."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from replicator.service.views.paging import LARGEST, USUAL, clamped

# No control characters: databases and logs do not want them.
_PLAIN = r"^[^\x00-\x1f\x7f]*$"

RuleName: TypeAlias = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", examples=["base-images"])
]
RunId: TypeAlias = Annotated[
    str, Path(pattern=r"^[0-9]{8}-[0-9]{6}-[0-9a-z]{8}$", examples=["20260314-031500-k3f9x2ab"])
]
Host: TypeAlias = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9.:_-]{1,255}$", examples=["registry.example.com"])
]
Name: TypeAlias = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$")]

Cursor: TypeAlias = Annotated[
    str | None, Query(max_length=2000, description="`next` of the page before.")
]
Limit: TypeAlias = Annotated[
    int,
    Query(ge=1, description=f"How many, at most; more than {LARGEST} is {LARGEST}."),
    AfterValidator(clamped),
]
Duration: TypeAlias = Annotated[
    str, Field(pattern=r"^([0-9]+(\.[0-9]+)?(ms|[smhdw]))+$", max_length=40)
]
Text: TypeAlias = Annotated[str | None, Query(min_length=1, max_length=200, pattern=_PLAIN)]
USUAL_LIMIT = USUAL


class Answer(BaseModel):
    """A body that goes out."""

    model_config = ConfigDict(extra="forbid")


class Listing(Answer):
    """A page; `next` is the cursor of the one behind it, null on the last."""

    next: str | None


class Asked(BaseModel):
    """A body that comes in: nothing unknown in it, and each value of its own type."""

    model_config = ConfigDict(extra="forbid", strict=True)
