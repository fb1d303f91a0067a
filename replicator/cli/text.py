"""Values as people read them, and text of strangers made harmless."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from replicator.store.records import Totals

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def size_text(size: float) -> str:
    """Return *size*, in bytes, as people write it: ``1.5 GiB``."""
    for unit in _UNITS[:-1]:
        if abs(size) < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {_UNITS[-1]}"


def moved_text(totals: Totals) -> str:
    """Return the bytes of a run as people write them, by how they came to be there."""
    return (
        f"{size_text(totals.bytes_moved)} moved, {size_text(totals.bytes_mounted)} mounted, "
        f"{size_text(totals.bytes_skipped)} skipped"
    )


def seconds_text(seconds: float) -> str:
    """Return a duration as people write it: ``0.3 s``, ``2:05``, ``1:02:05``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def time_text(moment: datetime | None) -> str:
    """Return a time in UTC to the second; ``-`` where there is none."""
    return "-" if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S")


def plural(number: int, word: str) -> str:
    """Return ``1 tag`` or ``2 tags``."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def printable(text: str) -> str:
    """Replace what could take hold of a terminal: tags and messages come from strangers."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def shortened(text: str, width: int) -> str:
    """Return *text* in at most *width* characters, one at least: its beginning, and more of its
    end, which tells names apart."""
    if len(text) <= width:
        return text
    head = max(width - 1, 0) // 3
    tail = max(width - 1, 0) - head
    return f"{text[:head]}…{text[len(text) - tail :]}"
