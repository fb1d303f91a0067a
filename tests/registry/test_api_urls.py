"""The URLs of a registry's own API, which are not read as those of strangers are."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.registry.api_urls import ApiUrls
from replicator.registry.gate import Origin

_SEGMENT = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._:-]{0,20}", fullmatch=True)


_QUERY = st.from_regex(r"(\?([a-zA-Z0-9._:=&/-]|%[0-9A-F]{2})*)?", fullmatch=True)


@given(
    st.lists(_SEGMENT, min_size=1, max_size=5),
    st.builds("{}{}".format, st.sampled_from(["", "/"]), _QUERY),
)
def test_a_url_is_the_one_that_httpx_reads(segments: list[str], end: str) -> None:
    path = "/".join(segments) + end

    url = ApiUrls(Origin("http", "registry.example", 5000)).url(path)

    expected = httpx.URL(f"http://registry.example:5000/v2/{path}")
    assert url == expected
    assert url.raw_path == expected.raw_path
    assert url.netloc == expected.netloc


@pytest.mark.parametrize("path", ["", "a/../b", "a/./b", "a//b", "a b", "ä", "a%2fb", ".."])
def test_what_is_not_plain_is_left_to_httpx(path: str) -> None:
    url = ApiUrls(Origin("https", "registry.example", 443)).url(path)

    assert url == httpx.URL(f"https://registry.example/v2/{path}")
