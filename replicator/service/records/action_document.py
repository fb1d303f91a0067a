"""Between the actions of a plan and what is kept of them outside of this process."""

from __future__ import annotations

from typing import Any

from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.observation import DestinationTag, Presence
from replicator.planning.plan import Action, Decision


def action_to_json(action: Action) -> dict[str, Any]:
    """Return an action for a file or the database."""
    found = action.found
    return {
        "decision": action.decision.value,
        "reason": action.reason,
        "source": None if action.source is None else str(action.source),
        "source_tag": action.source_tag,
        "destination": str(action.destination),
        "tag": action.tag,
        "digest": _text(action.digest),
        "size": action.size,
        "found": found and {"presence": found.presence.value, "digest": _text(found.digest)},
    }


def action_from_json(value: Any) -> Action:
    """Read what ``action_to_json`` wrote."""
    found = value["found"]
    return Action(
        Decision(value["decision"]),
        value["reason"],
        RepositoryName.parse(value["destination"]),
        Tag(value["tag"]),
        value["source"] and RepositoryName.parse(value["source"]),
        value["source_tag"] and Tag(value["source_tag"]),
        _digest(value["digest"]),
        value["size"],
        found and DestinationTag(Presence(found["presence"]), _digest(found["digest"])),
    )


def _text(digest: Digest | None) -> str | None:
    return None if digest is None else str(digest)


def _digest(text: str | None) -> Digest | None:
    return None if text is None else Digest.parse(text)
