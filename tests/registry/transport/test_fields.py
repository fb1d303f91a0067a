"""Header fields: whatever a server sends, they read as httpx's own do."""

from __future__ import annotations

import httpx
from hypothesis import given
from hypothesis import strategies as st

from replicator.registry.transport.fields import AnswerHeaders

NAMES = st.sampled_from(["Content-Type", "content-type", "LINK", "Link", "Warning", "X-Odd"])
VALUES = st.one_of(
    st.text("abc ,;=/é", max_size=8).map(lambda text: text.encode("latin-1")),
    st.binary(max_size=8),
)


@given(st.lists(st.tuples(NAMES.map(str.encode), VALUES), max_size=5), NAMES)
def test_fields_read_as_httpx_reads_them(fields, name):
    ours, theirs = AnswerHeaders(fields), httpx.Headers(fields)

    assert ours.get(name) == theirs.get(name)
    assert ours.get(name, "none") == theirs.get(name, "none")
    assert (name in ours) == (name in theirs)
    assert ours.raw == theirs.raw
    assert ours == theirs
    assert ours.get_list(name) == theirs.get_list(name)
