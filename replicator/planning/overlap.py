"""Do two patterns have a name in common? Answered with an example of such a name."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, TypeAlias

from replicator.planning.patterns import Step

Steps: TypeAlias = tuple[Step, ...]

# What stands for "anything" in an example. Several, so that one exclusion does not hide all.
_FILLERS: Final = "x0q"


def literal(text: str) -> Steps:
    """Return the steps that match *text* alone."""
    return tuple(Step(frozenset(character)) for character in text)


def anything(characters: frozenset[str]) -> Steps:
    """Return the steps that match any text of *characters* that is not empty."""
    return (Step(characters), Step(characters, many=True))


def common_names(first: Steps, second: Steps) -> Iterator[str]:
    """Yield a few names that match both, if there are any; short ones, each once."""
    seen: set[str] = set()
    for filler in _FILLERS:
        for pair in ((_filled(first), _filled(second)), (first, second)):
            name = _shortest(*pair, filler)
            if name and name not in seen:
                seen.add(name)
                yield name


def _filled(steps: Steps) -> Steps:
    """Let a wildcard at the start of a part stand for something: no part of a name is empty."""
    filled: list[Step] = []
    for position, step in enumerate(steps):
        if step.many and (position == 0 or steps[position - 1].characters == {"/"}):
            filled.append(Step(step.characters - {"/"}))
        filled.append(step)
    return tuple(filled)


def _shortest(first: Steps, second: Steps, filler: str) -> str | None:
    """Return the shortest text that both match, by a search over pairs of positions."""
    start = (0, 0)
    came_from: dict[tuple[int, int], tuple[tuple[int, int], str]] = {start: (start, "")}
    waiting = deque([start])
    goal = (len(first), len(second))
    while waiting:
        place = waiting.popleft()
        if place == goal:
            return _spell(came_from, goal)
        for following, character in _moves(first, second, place, filler):
            if following not in came_from:
                came_from[following] = (place, character)
                # A move that takes no character is tried first, which keeps names short.
                (waiting.append if character else waiting.appendleft)(following)
    return None


def _moves(
    first: Steps, second: Steps, place: tuple[int, int], filler: str
) -> Iterator[tuple[tuple[int, int], str]]:
    i, j = place
    if i < len(first) and first[i].many:
        yield (i + 1, j), ""
    if j < len(second) and second[j].many:
        yield (i, j + 1), ""
    if i == len(first) or j == len(second):
        return
    common = first[i].characters & second[j].characters
    if common:
        character = filler if filler in common else min(common, key=_plainness)
        yield (i if first[i].many else i + 1, j if second[j].many else j + 1), character


def _plainness(character: str) -> tuple[bool, str]:
    return (not character.isalnum(), character)


def _spell(
    came_from: dict[tuple[int, int], tuple[tuple[int, int], str]], goal: tuple[int, int]
) -> str:
    characters: list[str] = []
    place = goal
    while place != (0, 0):
        place, character = came_from[place]
        characters.append(character)
    return "".join(reversed(characters))
