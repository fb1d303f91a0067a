"""Facts: what trying a registry has shown, as it is kept and given back to those who come later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any, Self

from replicator.registry.knowledge import Knowledge, Way
from replicator.registry.profile import GENERIC, Shape, all_kinds, profile_of
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class Facts:
    """How a registry behaved; None of what was not tried, or what its answers did not show.

    - *auth*: ``Bearer``, ``Basic`` or nothing; *catalogue*: whether it lists repositories to us.
    - *digest_header*: HEAD tells the digest; *trusts_head*: one that finds nothing is right.
    - *conditional*: 304 to a digest that is known.
    - *paged*: tags come in pages of the size that was asked for, with a ``Link``.
    - *referrers_api*: there is one. *self_mount*: a mount from the very repository tells that a
      blob is there.
    - *single_request*, *streamed*, *chunked*: a blob goes in one POST, in one PATCH without a
      length, in several PATCHes; *resumed*: a session says how much it has.
    - *upload*: the shape that an upload went in.
    """

    kind: str = GENERIC
    auth: str | None = None
    catalogue: bool | None = None
    digest_header: bool | None = None
    trusts_head: bool | None = None
    conditional: bool | None = None
    paged: bool | None = None
    referrers_api: bool | None = None
    self_mount: bool | None = None
    single_request: bool | None = None
    streamed: bool | None = None
    chunked: bool | None = None
    resumed: bool | None = None
    upload: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what is known, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read what was kept, perhaps by another version: what is not understood is left out."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})

    def newer(self, later: Facts) -> Facts:
        """Return what *later* says, and of the rest what was known before."""
        return replace(self, **later.to_json())


def apply(facts: Facts, knowledge: Knowledge) -> None:
    """Begin with what was found out before, wherever the profile leaves it open.

    What a profile says is not overruled: it is true of all registries of a kind.
    """
    if knowledge.profile.kind == GENERIC and facts.kind in all_kinds():
        knowledge.take(profile_of(facts.kind))
    if knowledge.self_mount is None:
        knowledge.self_mount = facts.self_mount
    if knowledge.trusts_head is None:
        knowledge.trusts_head = facts.trusts_head
    if knowledge.referrers_api is None:
        knowledge.referrers_api = facts.referrers_api
    if knowledge.profile.kind == GENERIC:
        _apply_uploads(facts, knowledge)


def _apply_uploads(facts: Facts, knowledge: Knowledge) -> None:
    """Let an unknown registry have blobs in the ways that it was seen to take."""
    knowledge.profile = replace(
        knowledge.profile,
        takes_chunks=facts.chunked is not False,
        resumes_uploads=facts.resumed is not False and facts.chunked is not False,
    )
    if facts.upload in (Shape.PUT, Shape.PATCH):
        knowledge.way = Way(Shape(facts.upload))
