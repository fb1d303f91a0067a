"""Access: what a request needs and a token grants. (distribution, token/scope.md)"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

from starlette.requests import HTTPConnection

PULL: Final = frozenset({"pull"})
PUSH: Final = frozenset({"pull", "push"})
DELETE: Final = frozenset({"delete"})

# Must match whatever the routes match, line feeds included: what it misses needs no access.
_REPOSITORY: Final = re.compile(r"/v2/(.*)/(?:manifests|blobs|tags|referrers)/.*", re.DOTALL)
_ACTIONS: Final = {"GET": PULL, "HEAD": PULL, "DELETE": DELETE}


@dataclass(frozen=True, slots=True)
class Access:
    """Actions on one resource, as in ``repository:team/app:pull,push``."""

    kind: str
    name: str
    actions: frozenset[str]

    @classmethod
    def parse(cls, scope: str) -> Self:
        """Read a scope; one that makes no sense grants nothing."""
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        return cls(kind, name, frozenset(actions.split(",")) - {""})

    def covers(self, other: Access) -> bool:
        """Say whether whoever has this access has *other*."""
        same = (self.kind, self.name) == (other.kind, other.name)
        return same and ("*" in self.actions or other.actions <= self.actions)

    def __str__(self) -> str:
        order = sorted(self.actions, key=lambda action: (action != "pull", action != "push"))
        return f"{self.kind}:{self.name}:{','.join(order)}"


CATALOG: Final = Access("registry", "catalog", frozenset({"*"}))


def needed_access(connection: HTTPConnection) -> tuple[Access, ...]:
    """Return what a request needs; nothing if it only asks whether this is a registry.

    A mount needs to pull from where the blob is.
    """
    path, query = connection.scope["path"], connection.query_params
    if path == "/v2/_catalog":
        return (CATALOG,)
    match = _REPOSITORY.fullmatch(path)
    if match is None:
        return ()
    actions = _ACTIONS.get(connection.scope["method"], PUSH)
    needed = Access("repository", match[1], actions)
    if "mount" in query and "from" in query:
        return needed, Access("repository", query["from"], PULL)
    return (needed,)
