"""TagViews: why a tag is where it is, and where a digest is, for who may see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from replicator.errors import InvalidReference
from replicator.oci.digest import Digest
from replicator.oci.reference import DEFAULT_TAG, Reference, Tag
from replicator.planning.observation import Published
from replicator.service.access.identity import Identity
from replicator.service.looking.explaining import Explainer, Explanation, Place
from replicator.service.views.rule_views import RuleViews
from replicator.store.places import BlobPlace
from replicator.values import dataclass


class Places(Protocol):
    """Remembers where content is."""

    async def tags_of(
        self, digest: Digest, *, limit: int, covers: Callable[[str], bool] | None = None
    ) -> tuple[Published, ...]: ...

    async def blobs_of(self, digest: Digest, *, limit: int) -> tuple[BlobPlace, ...]: ...


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The tags that name a digest, and the repositories that have it as a blob.

    ``complete`` is false when there are more than were asked for.
    """

    tags: Sequence[Published]
    blobs: Sequence[BlobPlace]
    complete: bool


class TagViews:
    """Shows what is known of tags and digests."""

    def __init__(self, explainer: Explainer, places: Places, rules: RuleViews) -> None:
        self._explainer = explainer
        self._places = places
        self._rules = rules

    async def explain(
        self, who: Identity, reference: str
    ) -> tuple[Reference, tuple[Explanation, ...]]:
        """Say what each rule that *who* may see has to do with a tag; see Explainer.

        Raises InvalidReference.
        """
        parsed = Reference.parse(reference)
        if parsed.digest is not None:
            raise InvalidReference(f"{reference}: rules are about tags; name one")
        tag = parsed.tag or Tag(DEFAULT_TAG)
        found = await self._explainer.explain(
            parsed.repository, tag, await self._rules.visible(who)
        )
        return parsed, tuple(_seen_by(who, each) for each in found if who.covers(each.rule))

    async def whereabouts(self, who: Identity, digest: Digest, *, limit: int) -> Whereabouts:
        """Return where *digest* is, at most *limit* tags and *limit* repositories.

        Blobs belong to no rule: who is limited to some rules sees none.
        """
        covers = None if who.sees_all else who.covers
        tags = await self._places.tags_of(digest, limit=limit + 1, covers=covers)
        blobs = await self._places.blobs_of(digest, limit=limit + 1) if who.sees_all else ()
        return Whereabouts(
            tags[:limit],
            blobs[:limit],
            complete=max(len(tags), len(blobs)) <= limit,
        )


def _seen_by(who: Identity, explanation: Explanation) -> Explanation:
    return replace(explanation, places=[_place_seen_by(who, each) for each in explanation.places])


def _place_seen_by(who: Identity, place: Place) -> Place:
    """Leave out what another rule published there, or did last, if *who* may not know of it."""
    published, last = place.published, place.last
    if published is not None and not who.covers(published.rule):
        published = None
    if last is not None and not who.covers(last[0].rule.name):
        last = None
    return replace(place, published=published, last=last)
