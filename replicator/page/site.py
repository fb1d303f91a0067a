"""Site: what all screens have at hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from starlette.requests import Request

from replicator.errors import InvalidRequest
from replicator.office import Office
from replicator.page.rendering import Pages
from replicator.values import dataclass

LIMIT = 50
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Site:
    """*office* knows and does, *pages* shows; *clock* is in UTC."""

    office: Office
    pages: Pages
    clock: Callable[[], datetime]


def asked(request: Request, name: str) -> str | None:
    """Return a parameter of the address; None if it is not there or empty.

    Raises InvalidRequest for what no form of the page sends.
    """
    value = request.query_params.get(name, "").strip()
    if len(value) > (2000 if name == "cursor" else _LONGEST) or not value.isprintable():
        raise InvalidRequest(f"{name} is not what a page asks for", field=name)
    return value or None
