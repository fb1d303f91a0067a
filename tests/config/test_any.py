"""Whatever stands in a file, reading it gives a configuration or one line about a mistake."""

from __future__ import annotations

import datetime
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.config import load_config, values
from replicator.config.load import service_table
from replicator.config.registries import TIMEOUTS, credential_table, registry_table
from replicator.config.rules import REPOSITORIES, RULE, TAGS
from replicator.errors import ConfigError

_HERE = Path("folder")
_SCALARS = (
    st.text(max_size=20)
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.booleans()
    | st.datetimes().map(datetime.datetime.isoformat)
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
_READERS = [
    reader
    for keys in (
        service_table(_HERE).keys,
        registry_table(_HERE).keys,
        credential_table(_HERE).keys,
        TIMEOUTS,
        RULE,
        TAGS,
        REPOSITORIES,
    )
    for reader in keys.values()
]


@given(st.sampled_from(_READERS), _VALUES)
def test_no_value_makes_a_reader_fail_in_another_way(reader, value) -> None:
    mistake = mistake_of(lambda: reader(value, "here"))

    assert mistake.startswith("here") or not mistake
    assert mistake.isprintable()


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_file_makes_reading_fail_in_another_way(content: bytes) -> None:
    assert_read_or_refused(content)


_DOCUMENTS = st.dictionaries(
    st.sampled_from(["service", "registries", "rules", "zzz"]),
    st.recursive(
        _SCALARS,
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["docker.io", "credential", "tags", "name"]), inner)
        ),
        max_leaves=8,
    ),
)


@given(_DOCUMENTS)
def test_tables_may_stand_in_any_place(document) -> None:
    lines = [f"{key} = {inline(value)}" for key, value in document.items()]

    assert_read_or_refused("\n".join(lines).encode())


@given(st.integers(0, 800_000), st.sampled_from(["s", "m", "h"]))
def test_a_duration_is_the_sum_of_its_parts(number: int, unit: str) -> None:
    seconds = {"s": 1, "m": 60, "h": 3600}[unit]

    read = values.duration(f"{number}{unit}30s", "here")

    assert read == datetime.timedelta(seconds=number * seconds + 30)


@pytest.mark.parametrize(
    ("text", "size"),
    [("1B", 1), ("2kB", 2000), ("1.5MB", 1_500_000), ("1KiB", 1024), ("50 MiB", 50 << 20)],
)
def test_bytes_have_units_of_1000_and_of_1024(text: str, size: int) -> None:
    assert values.size(text, "here") == size
    assert values.rate(f"{text}/s", "here") == size


def assert_read_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.toml")
        file.write_bytes(content)
        mistake = mistake_of(lambda: load_config(file, {}))
        assert mistake.startswith(str(file)) or not mistake
        assert mistake.isprintable()


def mistake_of(read: Callable[[], object]) -> str:
    """Return the message of a refusal; empty when there is none."""
    try:
        read()
    except ConfigError as mistake:
        return str(mistake)
    return ""


def inline(value: object) -> str:
    """Write a value as TOML does it on one line."""
    match value:
        case dict():
            return f"{{ {', '.join(f'{json.dumps(k)} = {inline(v)}' for k, v in value.items())} }}"
        case list():
            return f"[{', '.join(map(inline, value))}]"
        case float():
            return repr(value)
        case _:
            return json.dumps(value)
