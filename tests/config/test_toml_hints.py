"""Slips that are no TOML: where they are, and what to write instead where that is certain."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.config.load import parse_toml_of
from replicator.errors import ConfigError

QUOTES = "text is written in quotes"
SINGLE = "write [[rules]], with two brackets, above each"
NO_EQUALS = "between a key and its value stands ="
BACKSLASH = "between two \" a \\ means something; write ' around the text, or each \\ twice"

SLIPS = [
    # Quotes.
    ("[[rules]]\nschedule = every 1m\n", 2, f'{QUOTES}: schedule = "…"'),
    ("[[rules]]\nschedule = 0 3 * * *  # at night\n", 2, f'{QUOTES}: schedule = "…"'),
    ("[[rules]]\nschedule = 0,30 * * * *\n", 2, f'{QUOTES}: schedule = "…"'),
    ("[[rules]]\njitter = 5m\n", 2, f'{QUOTES}: jitter = "…"'),
    ("[[rules]]\nprune = off\n", 2, f'{QUOTES}: prune = "…"'),
    ("[service]\nlisten = 127.0.0.1:8080\n", 2, f'{QUOTES}: listen = "…"'),
    ("[[rules]]\ndestinations = [quay.io/acme]\n", 2, QUOTES),
    ('[[rules]]\nname = "base\nsource = "alpine"\n', 2, "a closing quote is missing"),
    ("[[rules]]\r\nname = 'base\r\n", 2, "a closing quote is missing"),
    ("[[rules]]\nname = 'base\nsource = 'alpine'\n", 2, "a closing quote is missing"),
    ('[[rules]]\nname = "base', 2, "a closing quote is missing"),
    ('[[rules]]\nname = base"\n', 2, "a quote is missing"),
    ("[[rules]]\nname = “base”\n", 2, "TOML does not know the quote “; write \" or '"),
    (
        "[registries.localhost:5000]\nplain_http = true\n",
        1,
        'a host is written in quotes: [registries."localhost:5000"]',
    ),
    # Values of other languages.
    ("[[rules]]\nenabled = True\n", 2, "write true in small letters"),
    ("[[rules]]\nname =\n", 2, "there is no value behind ="),
    ("[[rules]]\nlatest = 5;\n", 2, "there is no ; at the end of a line"),
    ('[[rules]]\nname = "base",\n', 2, "there is no , at the end of a line"),
    ('[[rules]]\nname = "base" // a base\n', 2, "a comment begins with #"),
    ("// a base\n", 1, "a comment begins with #"),
    ("rules:\n  - name: base\n", 1, "this is YAML, and not TOML"),
    ("[[rules]]\n- name: base\n", 2, "this is YAML, and not TOML"),
    # Signs that are missing.
    ('[[rules]]\nname "base"\n', 2, NO_EQUALS),
    ('[[rules]]\nname: "base"\n', 2, f"{NO_EQUALS}, and not :"),
    ('[[rules]]\ndestinations = ["a" "b"]\n', 2, "a comma is missing"),
    ('[[rules]]\ndestinations = ["a"\nname = "base"\n', 3, "a comma or a ] is missing"),
    ("[[rules]]\ntags = { latest = 5,\n", 2, "a table in { } ends on its line"),
    ("[[rules]]\ntags = { latest = 5\n}\n", 2, "a table in { } ends on its line"),
    ("[[rules]]\ntags = { latest = 5, }\n", 2, "there is no comma in front of }"),
    # Tables.
    ('[rules]\nname = "a"\n[rules]\nname = "b"\n', 3, SINGLE),
    ('[[rules]]\nname = "a"\n[rules]\nname = "b"\n', 3, SINGLE),
    ('[rules]\nname = "a"\n[[rules]]\nname = "b"\n', 3, SINGLE),
    ("[[rules]]\nname = 'a'\nname = 'b'\n", 3, "this key is there already; keep one of them"),
    ("[service]\n[service]\n", 2, "this table is there already; put both into one"),
    # Paths of Windows, and what its editors leave in a file.
    ('[registries."x"]\nca_file = "C:\\certs\\ca.pem"\n', 2, BACKSLASH),
    ('[registries."x"]\nca_file = "C:\\Users\\ca.pem"\n', 2, BACKSLASH),
    (
        '[[rules]]\n\ufeffname = "a"\n',
        2,
        "the character here, U+FEFF, cannot be seen; write a space, or nothing",
    ),
    (
        '[[rules]]\nname\u00a0= "a"\n',
        2,
        "the character here, U+00A0, cannot be seen; write a space, or nothing",
    ),
]
GUESSES = [
    "[service]\nconcurrency = 08\n",
    '[[rules]]\nname = "a" source = "b"\n',
    "[[rules]]\nmy name = 'a'\n",
    "[[rules]]\nimmutable = [1,",
]


def said_of(content: bytes) -> str:
    """Return what is said of a file of this content."""
    with pytest.raises(ConfigError) as mistake:
        parse_toml_of(content, "config.toml")
    return str(mistake.value)


@pytest.mark.parametrize(("content", "line", "instead"), SLIPS)
def test_a_slip_is_told_with_its_line_and_what_to_write_instead(
    content: str, line: int, instead: str
) -> None:
    said = said_of(content.encode())

    assert said.startswith(f"config.toml:{line}:")
    assert said.endswith(f"; {instead}")


@pytest.mark.parametrize("content", GUESSES)
def test_what_would_be_a_guess_is_left_to_the_reader(content: str) -> None:
    assert ";" not in said_of(content.encode())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_a_file_in_utf_16_is_told_by_its_encoding(encoding: str) -> None:
    said = said_of("[service]\n".encode(encoding))

    assert said.startswith("config.toml:1:")
    assert said.endswith("; it looks like UTF-16; save it as UTF-8")


def test_a_mark_at_the_beginning_and_tabs_are_no_slips() -> None:
    read = parse_toml_of('\ufeff[service]\n\tlisten\t=\t"[::]:80"\n'.encode(), "config.toml")

    assert read == {"service": {"listen": "[::]:80"}}


@given(secret=st.from_regex(r"[A-Za-z0-9!$%&/()=?*+~. :-]{1,20}", fullmatch=True))
def test_a_secret_without_quotes_is_shown_by_no_message(secret: str) -> None:
    content = f"[service]\npassword = zq{secret}qz\n"

    assert f"zq{secret}" not in said_of(content.encode())


@given(content=st.text(st.sampled_from("[]rules{}=:\"'\\#, \n\t-a1“\u00a0\r")))
def test_any_text_is_read_or_told_what_is_wrong(content: str) -> None:
    with suppress(ConfigError):
        parse_toml_of(content.encode(), "config.toml")
