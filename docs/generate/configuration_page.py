"""Writes docs/configuration.md from config.example.toml, which tests hold to the readers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
_HEAD = """\
<!-- Made by `make docs-reference` from config.example.toml; do not edit. -->

# Configuration

Every key of `config.toml`. The file `config.example.toml` has all of them at once. A key may be
left out; what counts then is its default. One without a default is marked "–", with an example.

Durations have a unit: `"90s"`, `"30m"`, `"1h30m"`, `"7d"`. Bytes too: `"500kB"`, `"8MiB"`, `"2GB"`.
Relative paths start from the folder of the file. An unknown key is an error. `$REPLICATOR_CONFIG`
names another file than `./config.toml`, and so does `--config`.
"""
_SECTION = re.compile(r"\[+(.+?)\]+")
_KEY = re.compile(r"(#?)([a-z_]+) = (.+)")
_COMMENTED_TABLE = re.compile(r"#\[")


@dataclass
class _Entry:
    """Keys that one text is about, each with its default or example."""

    text: str
    keys: list[tuple[str, str, bool]] = field(default_factory=list)


def page() -> str:
    """Return the page."""
    lines = [_HEAD]
    for title, about, entries in _sections(_EXAMPLE.read_text("utf-8")):
        lines += [f"## `{title}`", ""]
        if about:
            lines += [about, ""]
        lines += ["| key | default | |", "| --- | --- | --- |"]
        lines += [_row(entry) for entry in entries]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _sections(text: str) -> Iterator[tuple[str, str, list[_Entry]]]:
    """Yield the parts of the file: the heading, what stands above it, and its entries."""
    title, about, entries = "", "", list[_Entry]()
    comment: list[str] = []
    for line in [*text.splitlines(), "[end]"]:
        if _SECTION.fullmatch(line):
            if title:
                yield title, about, entries
            title, about, entries = line.replace("|", "\\|"), _prose(comment), []
            comment = []
        elif _COMMENTED_TABLE.match(line):
            entries.append(_Entry(_prose(comment), [(line[1:], "", True)]))
            comment = []
        elif key := _KEY.fullmatch(line):
            if comment or not entries:
                entries.append(_Entry(_prose(comment)))
            entries[-1].keys.append((key[2], key[3], bool(key[1])))
            comment = []
        elif line.startswith("#"):
            comment.append(line.lstrip("# "))
        elif not title:
            comment = []  # what stands at the top is about the file, and said above


def _prose(comment: list[str]) -> str:
    return " ".join(line for line in comment if line)


def _row(entry: _Entry) -> str:
    names = "<br>".join(f"`{name}`" for name, _, _ in entry.keys)
    values = "<br>".join(
        (f"– (`{_cell(value)}`)" if value else "–") if is_off else f"`{_cell(value)}`"
        for _, value, is_off in entry.keys
    )
    return f"| {names} | {values} | {_cell(entry.text)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
