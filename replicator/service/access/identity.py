"""Identity: who asks, what that role may do, and for which rules."""

from __future__ import annotations

import enum
from dataclasses import field
from typing import Final

from replicator.errors import AccessDenied
from replicator.planning.patterns import Glob
from replicator.values import dataclass


class Role(enum.StrEnum):
    """VIEWER looks; OPERATOR also starts, ends and repeats runs, and lets rules rest; ADMIN also
    changes rules, registries, credentials and tokens."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


_ORDER: Final = tuple(Role)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks: *subject* for people, and by which way they were recognised.

    *patterns* are globs of the names of rules that this is limited to; None is all there is, and
    with it what belongs to no rule: registries, credentials, tokens and the audit.
    """

    subject: str
    role: Role
    patterns: tuple[str, ...] | None
    via: str
    _globs: tuple[Glob, ...] = field(init=False, repr=False, compare=False, default=())

    def __post_init__(self) -> None:
        globs = tuple(Glob.of_tags(each, where="rules") for each in self.patterns or ())
        object.__setattr__(self, "_globs", globs)

    def require(self, role: Role) -> None:
        """Raise AccessDenied unless this may do what *role* may."""
        if not self.may(role):
            raise AccessDenied(f"this takes the role {role}; {self.subject} has {self.role}")

    def require_unlimited(self, role: Role) -> None:
        """As ``require``, and for all rules: for what belongs to none. Raises AccessDenied."""
        self.require(role)
        if not self.sees_all:
            raise AccessDenied("this is for those alone who are not limited to some rules")

    def may(self, role: Role) -> bool:
        """Say whether this may do what *role* may."""
        return _ORDER.index(self.role) >= _ORDER.index(role)

    def covers(self, rule: str) -> bool:
        """Say whether the rule of that name, if there is one, may be seen at all."""
        return self.patterns is None or any(glob.match(rule) is not None for glob in self._globs)

    @property
    def sees_all(self) -> bool:
        """Whether nothing is hidden from it."""
        return self.patterns is None


def nobody(via: str) -> Identity:
    """Return who asks a service that asks nobody who they are: one on loopback without tokens."""
    return Identity("anonymous", Role.ADMIN, None, via)
