"""Routes of tags: why one is where it is, and where a digest is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query

from replicator.api.v1.access import FromOffice, Viewer
from replicator.api.v1.parameters import USUAL_LIMIT, Answer, Limit
from replicator.oci.digest import Digest
from replicator.planning.observation import Published
from replicator.service.looking.explaining import Explanation, Place
from replicator.store.places import BlobPlace
from replicator.store.records import ActionRecord, RunRecord

router = APIRouter(tags=["tags"])


class PublishedAnswer(Answer):
    """A tag that was published, as the ledger remembers it."""

    destination: str
    tag: str
    source: str
    digest: str
    source_digest: str
    rule: str
    run: str
    published_at: datetime
    confirmed_at: datetime

    @classmethod
    def of(cls, row: Published) -> PublishedAnswer:
        return cls(
            destination=str(row.destination),
            tag=str(row.tag),
            source=row.source,
            digest=str(row.digest),
            source_digest=str(row.source_digest),
            rule=row.rule,
            run=row.run,
            published_at=row.published_at,
            confirmed_at=row.confirmed_at,
        )


class LastAction(Answer):
    """What was last written down about a destination tag."""

    run: str
    started_at: datetime
    decision: str
    outcome: str
    reason: str

    @classmethod
    def of(cls, last: tuple[RunRecord, ActionRecord]) -> LastAction:
        run, action = last
        return cls(
            run=run.id,
            started_at=run.started_at,
            decision=action.decision.value,
            outcome=action.outcome.value,
            reason=action.reason,
        )


class PlaceAnswer(Answer):
    """A destination tag: what is known of it."""

    destination: str
    tag: str
    published: PublishedAnswer | None
    failing: str | None
    missing_since: datetime | None
    refused: str | None
    last_action: LastAction | None

    @classmethod
    def of(cls, place: Place) -> PlaceAnswer:
        return cls(
            destination=str(place.destination),
            tag=str(place.tag),
            published=PublishedAnswer.of(place.published) if place.published else None,
            failing=place.failing.reason if place.failing else None,
            missing_since=place.missing.since if place.missing else None,
            refused=place.refused or None,
            last_action=LastAction.of(place.last) if place.last else None,
        )


class ExplanationAnswer(Answer):
    """What one rule has to do with a tag. `selected` is null where it only once published it."""

    rule: str
    source: str
    selected: bool | None
    reason: str
    destinations: list[PlaceAnswer]

    @classmethod
    def of(cls, explanation: Explanation) -> ExplanationAnswer:
        return cls(
            rule=explanation.rule,
            source=explanation.source,
            selected=explanation.selected,
            reason=explanation.reason,
            destinations=list(map(PlaceAnswer.of, explanation.places)),
        )


class ExplainAnswer(Answer):
    reference: str
    rules: list[ExplanationAnswer]


class BlobAnswer(Answer):
    """A repository that has a blob, or had it when it was last seen."""

    repository: str
    size: int
    confirmed_at: datetime

    @classmethod
    def of(cls, place: BlobPlace) -> BlobAnswer:
        return cls(
            repository=str(place.repository), size=place.size, confirmed_at=place.confirmed_at
        )


class WhereaboutsAnswer(Answer):
    """Where a digest is. `complete` is false when there are more places than were asked for."""

    digest: str
    tags: list[PublishedAnswer]
    blobs: list[BlobAnswer]
    complete: bool


@router.get("/explain", operation_id="explainTag")
async def explain(
    office: FromOffice,
    who: Viewer,
    reference: Annotated[
        str,
        Query(min_length=1, max_length=600, examples=["docker.io/library/alpine:3.20"]),
    ],
) -> ExplainAnswer:
    """Say which rule a tag belongs to, what selects it or drops it, and what was done with it."""
    parsed, found = await office.tags.explain(who, reference)
    return ExplainAnswer(reference=str(parsed), rules=list(map(ExplanationAnswer.of, found)))


@router.get("/digests/{digest}", operation_id="findDigest")
async def find_digest(
    office: FromOffice,
    who: Viewer,
    digest: Annotated[
        str, Path(pattern=r"^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$", max_length=140)
    ],
    limit: Limit = USUAL_LIMIT,
) -> WhereaboutsAnswer:
    """Say under which tags a digest was published, and which repositories have it as a blob."""
    found = await office.tags.whereabouts(who, Digest.parse(digest), limit=limit)
    return WhereaboutsAnswer(
        digest=digest,
        tags=list(map(PublishedAnswer.of, found.tags)),
        blobs=list(map(BlobAnswer.of, found.blobs)),
        complete=found.complete,
    )
