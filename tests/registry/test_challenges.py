from __future__ import annotations

import string
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from replicator.registry.challenges import Challenge, parse_challenges

NAMES = st.text(string.ascii_lowercase + string.digits + "!#$%&'*+.^_`|~-", min_size=1, max_size=20)
VALUES = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=50)
CHALLENGES = st.builds(Challenge, NAMES, st.dictionaries(NAMES, VALUES, min_size=1, max_size=4))


def quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def printed(challenge: Challenge) -> str:
    parameters = ", ".join(
        f"{name}={quoted(value)}" for name, value in challenge.parameters.items()
    )
    return f"{challenge.scheme} {parameters}"


@given(st.lists(CHALLENGES, max_size=10))
def test_what_is_printed_in_one_header_is_read_back(challenges):
    header = ", ".join(map(printed, challenges))

    assert parse_challenges([header]) == tuple(challenges)


@given(st.lists(CHALLENGES, max_size=10))
def test_what_is_printed_in_several_headers_is_read_back(challenges):
    assert parse_challenges(map(printed, challenges)) == tuple(challenges)


BEARER = Challenge(
    "bearer",
    {
        "realm": "https://auth.docker.io/token",
        "service": "registry.docker.io",
        "scope": "repository:library/nginx:pull,push",
    },
)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(
            'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",'
            'scope="repository:library/nginx:pull,push"',
            [BEARER],
            id="a comma inside quotes separates nothing",
        ),
        pytest.param(
            'bearer REALM="https://auth.docker.io/token" , Service="registry.docker.io"  ,'
            '\tscope="repository:library/nginx:pull,push"',
            [BEARER],
            id="case and blanks do not matter",
        ),
        pytest.param(
            "bearer realm=https://zot.example.com/auth?a=b,service=zot",
            [Challenge("bearer", {"realm": "https://zot.example.com/auth?a=b", "service": "zot"})],
            id="zot's realm without quotes",
        ),
        pytest.param(
            'Negotiate, Basic realm="a", Bearer realm="b"',
            [
                Challenge("negotiate"),
                Challenge("basic", {"realm": "a"}),
                Challenge("bearer", {"realm": "b"}),
            ],
            id="several challenges in a line",
        ),
        pytest.param(
            'Negotiate YII=, NTLM TlRMTVNTUAAB+/==, Basic realm="a"',
            [Challenge("negotiate"), Challenge("ntlm"), Challenge("basic", {"realm": "a"})],
            id="tokens of 68 characters are passed over",
        ),
        pytest.param(
            'Digest realm="a, b", nonce="x\\"y", algorithm=MD5, Basic realm="c"',
            [
                Challenge("digest", {"realm": "a, b", "nonce": 'x"y', "algorithm": "MD5"}),
                Challenge("basic", {"realm": "c"}),
            ],
            id="escaped quotes",
        ),
        pytest.param(
            'Bearer realm="a" service="b"',
            [Challenge("bearer", {"realm": "a", "service": "b"})],
            id="parameters without a comma",
        ),
        pytest.param(
            ', ,Basic realm="a",,',
            [Challenge("basic", {"realm": "a"})],
            id="empty members of the list",
        ),
        pytest.param(
            'Bearer realm="first", realm="second"',
            [Challenge("bearer", {"realm": "first"})],
            id="of a parameter given twice the first counts",
        ),
        pytest.param("Basic", [Challenge("basic")], id="a scheme alone"),
        pytest.param('Bearer realm=""', [Challenge("bearer", {"realm": ""})], id="an empty realm"),
        pytest.param('realm="a"', [], id="a parameter of nothing"),
        pytest.param(
            'Basic realm="a", Bearer realm="b',
            [Challenge("basic", {"realm": "a"}), Challenge("bearer")],
            id="what is before an unclosed quote counts",
        ),
        pytest.param("", [], id="nothing"),
        pytest.param('"', [], id="a quote"),
        pytest.param("é", [], id="not ASCII"),
    ],
)
def test_challenges_seen_in_the_wild_are_read(header, expected):
    assert parse_challenges([header]) == tuple(expected)


@example('Bearer realm="' + "\\" * 9999)
@example('a="' * 9999)
@example("a " * 9999)
@example("a=" * 9999)
@given(st.text())
def test_no_header_breaks_the_parser(header):
    for challenge in parse_challenges([header]):
        assert challenge.scheme == challenge.scheme.lower()


@pytest.mark.parametrize("piece", ['a="', "\\", "a ", "a=", 'a="b" ', ", ", '"', 'a="\\"'])
def test_no_header_takes_long(piece):
    headers = [f'Bearer realm="x", {piece * length}' for length in (1000, 2000, 4000, 100_000)]

    start = time.perf_counter()
    for header in headers:
        parse_challenges([header])

    assert time.perf_counter() - start < 1


def test_a_header_too_long_for_a_challenge_holds_none():
    long = f'Bearer realm="{"x" * 8192}"'

    assert parse_challenges([long, 'Basic realm="a"']) == (Challenge("basic", {"realm": "a"}),)
