"""Completion of words with colons in bash, which takes each colon for the end of a word.

Of ``registry:5000`` bash makes three words, and puts what it is offered in the place of the last;
of ``--rule=base``, too. So its words are put together again before they are looked at, and what is
offered is printed without what stands before the colon. Who has taken the colon out of
``COMP_WORDBREAKS`` has whole words, and is offered whole words.
"""

from __future__ import annotations

import io
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import redirect_stdout

from replicator.values import dataclass

# What Typer's script for bash asks, and what it says of the line.
_ASKED = "_REPLICATE_COMPLETE"
_WORDS, _CURRENT = "COMP_WORDS", "COMP_CWORD"


@dataclass(frozen=True, slots=True)
class Line:
    """The words of a line, which of them is completed, and how much of it bash leaves as it is."""

    words: Sequence[str]
    current: int
    kept: str = ""


def with_whole_words(environment: MutableMapping[str, str], complete: Callable[[], int]) -> int:
    """Let *complete* say what there is to offer, for whole words if it is bash that asks."""
    words = environment.get(_WORDS, "")
    if environment.get(_ASKED) != "complete_bash" or not set(words) & {":", "="}:
        return complete()
    line = join(environment[_WORDS].split("\n"), int(environment[_CURRENT]))
    environment[_WORDS], environment[_CURRENT] = "\n".join(line.words), str(line.current)
    offered = io.StringIO()
    try:
        with redirect_stdout(offered):
            return complete()
    finally:  # Whoever completes ends the process.
        for word in offered.getvalue().splitlines():
            print(word.removeprefix(line.kept))


def join(words: Sequence[str], current: int) -> Line:
    """Put together the words that bash has made of one, with *current* the one to complete."""
    joined: list[str] = []
    line = Line(words, current)
    is_open = False
    for number, word in enumerate(words):
        is_break = _breaks(word, joined)
        if joined and (is_break or (is_open and word)):
            kept = joined[-1] + (word if is_break else "")
            joined[-1] += word
        else:
            kept = ""
            joined.append(word)
        if number == current:
            line = Line(joined, len(joined) - 1, kept)
        is_open = is_break
    return line


def _breaks(word: str, before: Sequence[str]) -> bool:
    """Say whether bash made a word of what stands within one: colons, and that of an option."""
    if word == "=":
        return bool(before) and before[-1].startswith("--")
    return bool(word) and not word.strip(":")
