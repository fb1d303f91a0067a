"""Visitor: who looks at the page, and what his forms have to show."""

from __future__ import annotations

from typing import cast

from starlette.requests import Request

from replicator.service.access.identity import Identity, Role
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class Visitor:
    """*secret* is what his browser holds; None of somebody whom nobody asked to sign in."""

    identity: Identity
    csrf: str
    secret: str | None = None

    @property
    def operates(self) -> bool:
        return self.identity.may(Role.OPERATOR)

    @property
    def administers(self) -> bool:
        return self.identity.may(Role.ADMIN)

    @property
    def administers_all(self) -> bool:
        return self.administers and self.sees_all

    @property
    def sees_all(self) -> bool:
        return self.identity.sees_all


def visitor_of(request: Request) -> Visitor:
    """Return who asks, as the gate found out."""
    return cast(Visitor, request.state.visitor)
