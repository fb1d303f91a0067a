"""Place: a registry that the contract is tried on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from replicator.registry.settings import Credentials

ALICE = Credentials("alice", "wonderland")
READER = Credentials("reader", "looking-glass")


@dataclass(frozen=True)
class Place:
    """Where a registry is, and who may do what there; the fields of the entry are *settings*.

    *login* is None where everybody may do everything. Of *reader* it is known that a push is
    refused; *closed* is the path of a repository that even *login* may not write to.
    """

    name: str
    host: str
    login: Credentials | None = None
    reader: Credentials | None = None
    closed: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    takes_docker: bool = True
    lists_tags: bool = True
    moves_tags: bool = True
