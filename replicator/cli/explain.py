"""``replicate explain``: why a tag is where it is, or is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from replicator import bootstrap
from replicator.cli.exit_codes import FAILED, SUCCESS
from replicator.cli.groups import examples
from replicator.cli.options import Json
from replicator.cli.session import Session, session_of

if TYPE_CHECKING:
    from replicator.oci.reference import Reference
    from replicator.service.looking.explaining import Explanation, Place

EXAMPLES: Final = examples(
    "replicate explain docker.io/library/alpine:3.20",
    "replicate explain registry.example.com/hub/alpine:3.20 --json",
)


def explain(
    context: typer.Context,
    reference: Annotated[
        str, typer.Argument(metavar="REFERENCE", help="A tag, at a source or at a destination.")
    ],
    json: Json = False,
) -> None:
    """Say which rule a tag belongs to, what selects it or drops it, and what was done with it.

    Exits with 1 when no rule has to do with it.
    """
    from replicator.cli.messages import complain
    from replicator.cli.output import print_fields, print_json
    from replicator.cli.running import run_async
    from replicator.oci.reference import Reference

    parsed = Reference.parse(reference)
    work = _explain(session_of(context), parsed)
    found = run_async(work, loop_factory=bootstrap.new_event_loop)
    if json:
        print_json({"reference": str(parsed), "rules": list(map(_json, found))})
    for number, each in enumerate(found if not json else ()):
        if number:
            print()
        print_fields(_fields(each))
    if not found:
        complain(f"no rule reads {reference}, and none has published it")
    raise typer.Exit(SUCCESS if found else FAILED)


async def _explain(session: Session, reference: Reference) -> Sequence[Explanation]:
    from replicator.errors import ConfigError
    from replicator.oci.reference import DEFAULT_TAG, Tag

    if reference.digest is not None:
        raise ConfigError(f"{reference}: rules are about tags; name one")
    tag = reference.tag or Tag(DEFAULT_TAG)
    async with bootstrap.open_explainer(session.config()) as (explainer, rulebook):
        return await explainer.explain(reference.repository, tag, await rulebook.all())


def _fields(explanation: Explanation) -> Iterator[tuple[str, object]]:
    yield "rule", explanation.rule
    yield "source", explanation.source
    words = {True: "selected", False: "left out", None: "not read"}
    yield words[explanation.selected], explanation.reason
    for place in explanation.places:
        yield from _place_fields(place)


def _place_fields(place: Place) -> Iterator[tuple[str, object]]:
    from replicator.cli.text import time_text

    yield "destination", f"{place.destination}:{place.tag}"
    row = place.published
    if row is None:
        yield "published", "never"
    else:
        yield "published", f"{time_text(row.published_at)} UTC by run {row.run or '-'}"
        yield "digest", row.digest
        if row.digest != row.source_digest:
            yield "made of", row.source_digest
        yield "last seen", f"{time_text(row.confirmed_at)} UTC"
    if place.failing is not None:
        yield "failing", place.failing.reason
    if place.missing is not None:
        yield "missing", f"gone from the source since {time_text(place.missing.since)} UTC"
    yield "content", place.refused
    if place.last is not None:
        run, action = place.last
        yield "last action", f"{action.decision}, {action.outcome}"
        yield "reason then", action.reason
        yield "in run", f"{run.id}, {time_text(run.started_at)} UTC"


def _json(explanation: Explanation) -> dict[str, Any]:
    return {
        "rule": explanation.rule,
        "source": explanation.source,
        "selected": explanation.selected,
        "reason": explanation.reason,
        "destinations": list(map(_place_json, explanation.places)),
    }


def _place_json(place: Place) -> dict[str, Any]:
    from replicator.cli.output import time_json

    row, last = place.published, place.last
    return {
        "destination": str(place.destination),
        "tag": str(place.tag),
        "published": row
        and {
            "digest": str(row.digest),
            "source_digest": str(row.source_digest),
            "rule": row.rule,
            "run": row.run,
            "published_at": time_json(row.published_at),
            "confirmed_at": time_json(row.confirmed_at),
        },
        "failing": place.failing and place.failing.reason,
        "missing_since": place.missing and time_json(place.missing.since),
        "refused": place.refused or None,
        "last_action": last
        and {
            "run": last[0].id,
            "started_at": time_json(last[0].started_at),
            "decision": last[1].decision.value,
            "outcome": last[1].outcome.value,
            "reason": last[1].reason,
        },
    }
