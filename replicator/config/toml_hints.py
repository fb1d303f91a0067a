"""What a text that is no TOML most likely lacks, as far as that is certain."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Final

from replicator.values import dataclass

# A value without quotes may be a secret, so no hint repeats it.
_ASSIGNED: Final = re.compile(r'\s*([A-Za-z0-9_.-]+|"[^"]*")\s*=\s*([^"\'\[{#]*?)\s*(?:#.*)?')
_NUMBER: Final = re.compile(r"[0-9_]*")
_ENDING: Final = re.compile(r"\s*([,;])\s*(?:#.*)?")
_HOST: Final = re.compile(r"\s*\[registries\.([^\"'\[\]]+)\]\s*(?:#.*)?")
_ARRAY: Final = re.compile(r"\s*\[?\[\s*(rules|notify)\s*\]\]?\s*(?:#.*)?")
_YAML: Final = re.compile(r"\s*(?:- .*|[A-Za-z0-9_-]+:\s*)")
_ODD_QUOTES: Final = frozenset("“”„‟«»‘’‚‛`´")


@dataclass(frozen=True, slots=True)
class Slip:
    """Where a reader of TOML gave up, and its words for it; *column* counts from 0."""

    message: str
    above: str
    line: str
    column: int

    @property
    def rest(self) -> str:
        return self.line[self.column :]


def hint(slip: Slip) -> str:
    """Return what to write instead; empty where that would be a guess."""
    if odd := _odd_character(slip.rest[:1]):
        return odd
    for beginning, reading in _READINGS.items():
        if slip.message.startswith(beginning):
            return reading if isinstance(reading, str) else reading(slip)
    return ""


def encoding_hint(content: bytes) -> str:
    """Return what to do about text that some editors take for Unicode; empty if it is not."""
    is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content[:4]
    return "it looks like UTF-16; save it as UTF-8" if is_utf16 else ""


def _odd_character(letter: str) -> str:
    if letter in _ODD_QUOTES:
        return f"TOML does not know the quote {letter}; write \" or '"
    if letter and not letter.isascii() and unicodedata.category(letter) in ("Zs", "Cf"):
        return f"the character here, U+{ord(letter):04X}, cannot be seen; write a space, or nothing"
    return ""


def _statement(slip: Slip) -> str:
    return "a comment begins with #" if slip.rest.startswith("//") else ""


def _value(slip: Slip) -> str:
    word = re.match(r"[A-Za-z]*", slip.rest)
    if not slip.rest:
        return "there is no value behind =" if slip.line.rstrip().endswith("=") else ""
    if word and word[0].lower() in ("true", "false"):
        return f"write {word[0].lower()} in small letters"
    if bare := _bare_text(slip):
        return bare
    if not slip.rest[0].isalpha():
        return ""
    return "a quote is missing" if slip.line.count('"') % 2 else "text is written in quotes"


def _line_end(slip: Slip) -> str:
    if ending := _ENDING.fullmatch(slip.rest):
        return f"there is no {ending[1]} at the end of a line"
    return _statement(slip) or _bare_text(slip)


def _bare_text(slip: Slip) -> str:
    assigned = _ASSIGNED.fullmatch(slip.line)
    if assigned is None or _NUMBER.fullmatch(assigned[2]):
        return ""
    return f'text is written in quotes: {assigned[1]} = "…"'


def _assignment(slip: Slip) -> str:
    if _YAML.fullmatch(slip.line):
        return "this is YAML, and not TOML"
    if slip.rest.startswith(":"):
        return "between a key and its value stands =, and not :"
    return "" if "=" in slip.line else "between a key and its value stands ="


def _twice(slip: Slip) -> str:
    """Tell tables that may be there more than once, but were written as if they might not."""
    found = _ARRAY.fullmatch(slip.line)
    if found and re.search(rf"^\s*\[\s*{found[1]}\s*\]", f"{slip.above}{slip.line}", re.MULTILINE):
        return f"write [[{found[1]}]], with two brackets, above each"
    if slip.message.startswith("Cannot declare"):
        return "this table is there already; put both into one"
    is_value = slip.message == "Cannot overwrite a value" and not slip.line.lstrip().startswith("[")
    return "this key is there already; keep one of them" if is_value else ""


def _host(slip: Slip) -> str:
    found = _HOST.fullmatch(slip.line)
    return f'a host is written in quotes: [registries."{found[1]}"]' if found else ""


def _list(slip: Slip) -> str:
    return "a comma is missing" if slip.rest[:1] in ('"', "'") else "a comma or a ] is missing"


def _inline_table(slip: Slip) -> str:
    if not slip.rest and slip.line.count("{") > slip.line.count("}"):
        return "a table in { } ends on its line"
    return "there is no comma in front of }" if slip.rest.startswith("}") else ""


# By how the words of the library begin.
_CLOSING: Final = "a closing quote is missing"
_BACKSLASH: Final = "between two \" a \\ means something; write ' around the text, or each \\ twice"
_READINGS: Final[Mapping[str, str | Callable[[Slip], str]]] = {
    "Invalid statement": _statement,
    "Invalid value": _value,
    "Expected newline": _line_end,
    "Expected '='": _assignment,
    "Expected ']'": _host,
    "Cannot": _twice,
    "Illegal character '\\n'": _CLOSING,
    "Found invalid character '\\n'": _CLOSING,
    'Expected "\'"': _CLOSING,
    "Unterminated string": _CLOSING,
    "Unescaped '\\' in a string": _BACKSLASH,
    "Invalid hex value": _BACKSLASH,
    "Unclosed array": _list,
    "Unclosed inline table": _inline_table,
    "Invalid initial character": _inline_table,
}
