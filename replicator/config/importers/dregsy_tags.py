"""Tags as dregsy selects them: any of some selectors, and all that is to be kept."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from replicator.config.importers import foreign
from replicator.config.importers.draft import Draft

_LATEST: Final = re.compile(r"latest\s+(\d+)")


def take_tags(items: Sequence[str], draft: Draft) -> None:
    """Put the items of ``tags`` into *draft*."""
    kept = [item.removeprefix("keep:").strip() for item in items if item.startswith("keep:")]
    wanted = [item for item in items if not item.startswith("keep:")]
    _take_selectors(wanted, draft)
    for pattern in kept:
        if latest := _LATEST.fullmatch(pattern):
            draft.tags["latest"] = int(latest[1])
            draft.remarks.append(
                "keep: dregsy also kept all tags that are no versions; here they are left out"
            )
        elif pattern.startswith("!"):
            _add(draft, "exclude_regex", _whole(pattern[1:]))
        elif "regex" in draft.tags or "include" in draft.tags:
            draft.lose(f"keep {pattern!r}: a tag has to match one of `regex`, not all")
        else:
            _add(draft, "regex", _whole(pattern))


def _take_selectors(wanted: Sequence[str], draft: Draft) -> None:
    names = [item for item in wanted if ":" not in item]
    ranges = [item.removeprefix("semver:").strip() for item in wanted if item.startswith("semver:")]
    patterns = [item.removeprefix("regex:").strip() for item in wanted if item.startswith("regex:")]
    for item in wanted:
        if "sha256:" in item:
            draft.lose(f"the digest {item}: rules go by tags; `replicate copy` takes it")
    positive = [pattern for pattern in patterns if not pattern.startswith("!")]
    negative = [pattern for pattern in patterns if pattern.startswith("!")]
    if negative and (len(patterns) > 1 or names or ranges):
        draft.lose(f"regex {negative}: with other selectors beside it, as any of them was enough")
    elif negative:
        _add(draft, "exclude_regex", _whole(negative[0][1:]))
    if ranges:
        _take_ranges(ranges, names, positive, draft)
    elif positive:
        for pattern in positive:
            foreign.check_pattern(pattern, draft)
            _add(draft, "regex", _whole(pattern))
        for name in names:
            _add(draft, "regex", re.escape(name))
    elif names:
        draft.tags["include"] = foreign.unique(names)


def _take_ranges(
    ranges: Sequence[str], names: Sequence[str], positive: Sequence[str], draft: Draft
) -> None:
    if any("!" in each for each in ranges):
        draft.lose(f'semver {list(ranges)}: "!" has no counterpart; use exclude')
        return
    draft.tags["semver"] = " || ".join(ranges)
    draft.tags["prerelease"] = True
    draft.tags["include"] = ["*"]
    draft.remarks.append(
        "dregsy takes 2.0.0-rc1 for less than 2.0.0; here a pre-release belongs to its version"
    )
    if names or positive:
        others = ", ".join([*names, *positive])
        draft.lose(f"{others} beside a range of versions: write another rule for them")


def _whole(pattern: str) -> str:
    """Return what matches as a whole; dregsy adds ``^`` and ``$`` only where they are missing."""
    if "|" not in pattern:
        return pattern.removeprefix("^").removesuffix("$")
    start = "" if pattern.startswith("^") else "^"
    end = "" if pattern.endswith("$") else "$"
    return foreign.searched(f"{start}{pattern}{end}")


def _add(draft: Draft, key: str, pattern: str) -> None:
    draft.tags.setdefault(key, []).append(pattern)
