"""Snapshot: what moves in a run, written small enough for a notice between processes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, TypeAlias

import msgspec

# PostgreSQL carries 7,999 bytes. All of it is ASCII, so that any encoding of a database will do.
LARGEST: Final = 7800
# Blobs of an image that are sent, which is as many as a page shows of it.
_BLOBS: Final = 12
# Tags that are told of a blob. Very many images may share one, and are to find room themselves.
_TAGS: Final = 5

Moving: TypeAlias = dict[str, Any]
_Bytes: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]


class _Image(msgspec.Struct, array_like=True, frozen=True):
    source: str
    tag: str
    done: _Bytes
    size: _Bytes


class _Blob(msgspec.Struct, array_like=True, frozen=True):
    digest: str
    done: _Bytes
    size: _Bytes
    # A process of an earlier version tells none.
    tags: list[str] = []


class _Place(msgspec.Struct, array_like=True, frozen=True):
    destination: str
    images: list[_Image]
    blobs: list[_Blob]


class Snapshot(msgspec.Struct, frozen=True):
    """What one process has under way of a run; ``more`` images found no room."""

    run: str
    sender: str
    places: list[_Place]
    more: _Bytes

    @property
    def is_empty(self) -> bool:
        return not self.places and not self.more

    def images(self) -> Iterator[Moving]:
        for place in self.places:
            for image in place.images:
                yield {
                    "source": image.source,
                    "destination": place.destination,
                    "tag": image.tag,
                    "done": image.done,
                    "size": image.size,
                }

    def blobs(self) -> Iterator[Moving]:
        for place in self.places:
            for blob in place.blobs:
                yield {
                    "destination": place.destination,
                    "digest": blob.digest,
                    "done": blob.done,
                    "size": blob.size,
                    "tags": blob.tags,
                }

    def to_text(self) -> str:
        return _text(msgspec.to_builtins(self))


def read_snapshot(text: str) -> Snapshot | None:
    """Read what another process said; None if it is no snapshot."""
    try:
        return msgspec.json.decode(text, type=Snapshot)
    except (msgspec.MsgspecError, UnicodeError):
        return None


def take_snapshot(
    run: str, sender: str, images: Sequence[Moving], blobs: Sequence[Moving]
) -> Snapshot:
    """Take in as many images as there is room for, each with its blobs.

    The first of a destination also brings those that belong to no image, such as a signature's.
    """
    room = _Room(
        LARGEST - len(_text([run, sender])) - len('{"run":,"sender":,"places":[],"more":}') - 10
    )
    places: dict[str, _Place] = {}
    moving = _by_destination(blobs)
    for image in images:
        destination = image["destination"]
        taken = _Image(*(image[name] for name in _Image.__struct_fields__))
        place = places.get(destination) or _Place(destination, [], [])
        if not room.take(taken if destination in places else _Place(destination, [taken], [])):
            continue
        place.images.append(taken)
        waiting = moving.get(destination, {})
        its_blobs = waiting.pop(taken.tag, [])[:_BLOBS]
        if destination not in places:
            places[destination] = place
            its_blobs += waiting.pop(None, [])[:_BLOBS]
        place.blobs.extend(blob for blob in its_blobs if room.take(blob))
    shown = sum(len(place.images) for place in places.values())
    return Snapshot(run, sender, list(places.values()), len(images) - shown)


class _Room:
    """How many bytes there still are."""

    def __init__(self, left: int) -> None:
        self._left = left

    def take(self, part: msgspec.Struct) -> bool:
        """Take room for *part*, with a comma, if there is so much."""
        size = len(_text(msgspec.to_builtins(part))) + 1
        if size > self._left:
            return False
        self._left -= size
        return True


def _by_destination(blobs: Sequence[Moving]) -> Mapping[str, dict[str | None, list[_Blob]]]:
    """Sort blobs by destination, and there by the first tag that waits for them, if one does."""
    found: dict[str, dict[str | None, list[_Blob]]] = {}
    for blob in blobs:
        tags = blob["tags"][:_TAGS]
        of_it = found.setdefault(blob["destination"], {}).setdefault(next(iter(tags), None), [])
        of_it.append(_Blob(blob["digest"], blob["done"], blob["size"], tags))
    return found


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
