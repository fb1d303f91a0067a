"""The URLs of a registry's own API, which are not read as those of strangers are."""

from __future__ import annotations

from urllib.parse import quote, urljoin

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.registry.api_urls import ApiUrls, neighbour, with_parameter

_SEGMENT = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._:-]{0,20}", fullmatch=True)


_QUERY = st.from_regex(r"(\?([a-zA-Z0-9._:=&/-]|%[0-9A-F]{2})*)?", fullmatch=True)


@given(
    st.lists(_SEGMENT, min_size=1, max_size=5),
    st.builds("{}{}".format, st.sampled_from(["", "/"]), _QUERY),
)
def test_a_url_is_the_one_that_httpx_reads(segments: list[str], end: str) -> None:
    path = "/".join(segments) + end

    url = ApiUrls("http://registry.example:5000").url(path)

    expected = httpx.URL(f"http://registry.example:5000/v2/{path}")
    assert url == expected
    assert url.raw_path == expected.raw_path
    assert url.netloc == expected.netloc


@pytest.mark.parametrize("path", ["", "a/../b", "a/./b", "a//b", "a b", "ä", "a%2fb", ".."])
def test_what_is_not_plain_is_left_to_httpx(path: str) -> None:
    url = ApiUrls("https://registry.example").url(path)

    assert url == httpx.URL(f"https://registry.example/v2/{path}")


_SOURCE = httpx.URL("https://registry.example:5000/v2/a/blobs/uploads/?mount=x")


@given(
    st.sampled_from(["https://registry.example:5000/", "/"]),
    st.lists(_SEGMENT, min_size=1, max_size=5),
    st.builds("{}{}".format, st.sampled_from(["", "/"]), _QUERY),
)
def test_a_place_on_the_same_server_is_the_one_that_httpx_reads(
    server: str, segments: list[str], end: str
) -> None:
    text = server + "/".join(segments) + end

    url = neighbour(_SOURCE, text)

    expected = httpx.URL(urljoin(str(_SOURCE), text))
    if url is None:
        assert text.endswith("?")
    else:
        assert (url, url.raw_path, url.netloc) == (expected, expected.raw_path, expected.netloc)


@pytest.mark.parametrize(
    "text",
    [
        "http://registry.example:5000/v2/a",
        "https://registry.example/v2/a",
        "https://registry.example:50001/v2/a",
        "https://registry.example:5000@evil.example/v2/a",
        "https://evil.example/v2/a",
        "//evil.example/v2/a",
        "/\\evil.example/a",
        "/v2/../a",
        "/v2/./a",
        "/v2//a",
        "/v2/a#b",
        "/v2/a b",
        "relative",
        "?query",
        "",
    ],
)
def test_what_is_elsewhere_or_not_plain_is_left_to_the_gate(text: str) -> None:
    assert neighbour(_SOURCE, text) is None


@given(_QUERY, st.text(max_size=20))
def test_a_parameter_is_added_as_httpx_would_read_it(query: str, value: str) -> None:
    location = httpx.URL(f"https://registry.example:5000/v2/a/blobs/uploads/1{query}")
    parameter = f"digest={quote(value, safe='')}"

    url = with_parameter(location, parameter)

    expected = httpx.URL(f"{location}{'&' if '?' in str(location) else '?'}{parameter}")
    assert (url, url.raw_path) == (expected, expected.raw_path)
