"""Scopes: what a token is for. (distribution, "Token Scope Documentation")"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Self

from replicator.values import dataclass

# Of all scopes of one token. A registry that names another one each time would make the request
# for a token, and the token, grow without end.
MOST_CHARACTERS: Final = 4 * 1024


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """A resource and actions on it, as in ``repository:team/app:pull,push``.

    What a registry calls a scope and is not of this form, such as Gitea's ``*``, is kept as its
    *type* alone. ``parse`` and ``str`` are inverse.
    """

    type: str
    name: str = ""
    actions: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a scope; a name may have colons, for a port of a host."""
        resource, _, actions = text.rpartition(":")
        kind, _, name = resource.partition(":")
        if not (kind and name and actions):
            return cls(text)
        return cls(kind, name, tuple(actions.split(",")))

    @property
    def writes(self) -> bool:
        """Whether the scope is for pushing."""
        return not {"push", "*"}.isdisjoint(self.actions)

    def __str__(self) -> str:
        return f"{self.type}:{self.name}:{','.join(self.actions)}" if self.name else self.type


def parse_scopes(text: str) -> tuple[Scope, ...]:
    """Read the scopes of a challenge, which stand there with spaces between them."""
    return tuple(Scope.parse(word) for word in text.split())


def add_scopes(scopes: Iterable[Scope], named: Iterable[Scope]) -> tuple[Scope, ...]:
    """Return *scopes* and those that a challenge *named*, as long as all fit into a request."""
    more = merge_scopes((*scopes, *named))
    fits = sum(len(str(scope)) for scope in more) <= MOST_CHARACTERS
    return more if fits else merge_scopes(scopes)


def merge_scopes(scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    """Return *scopes* with one scope a resource, those that push first.

    Some token services honour only the first scope of a request; the one that pushes is the one
    that cannot be done without.
    """
    actions: dict[tuple[str, str], dict[str, None]] = {}
    for scope in scopes:
        actions.setdefault((scope.type, scope.name), {}).update(dict.fromkeys(scope.actions))
    merged = (Scope(kind, name, tuple(names)) for (kind, name), names in actions.items())
    return tuple(sorted(merged, key=lambda scope: not scope.writes))
