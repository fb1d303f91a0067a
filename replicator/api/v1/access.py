"""Who asks, and what the route has to know before it answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, cast

from fastapi import Depends, Request

from replicator.errors import InvalidRequest
from replicator.office import Office
from replicator.service.access.identity import Identity, Role


def _office(request: Request) -> Office:
    return cast(Office, request.app.state.office)


def _asks(role: Role, *, unlimited: bool = False) -> Callable[[Request], Identity]:
    def identity(request: Request) -> Identity:
        """Return who asks, as the gate found out. Raises AccessDenied."""
        found = cast(Identity, request.state.identity)
        if unlimited:
            found.require_unlimited(role)
        else:
            found.require(role)
        return found

    return identity


FromOffice = Annotated[Office, Depends(_office)]
Viewer = Annotated[Identity, Depends(_asks(Role.VIEWER))]
Operator = Annotated[Identity, Depends(_asks(Role.OPERATOR))]
Admin = Annotated[Identity, Depends(_asks(Role.ADMIN))]
# For what belongs to no rule.
UnlimitedOperator = Annotated[Identity, Depends(_asks(Role.OPERATOR, unlimited=True))]
UnlimitedAdmin = Annotated[Identity, Depends(_asks(Role.ADMIN, unlimited=True))]


def refuse_unknown_query(request: Request) -> None:
    """Raise InvalidRequest for a parameter that the route does not have: a filter that is
    misspelt would show everything."""
    known = {field.alias for field in request.scope["route"].dependant.query_params}
    for name in request.query_params:
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise InvalidRequest(f"unknown parameter; known are {listed}", field=name[:100])
