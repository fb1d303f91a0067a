"""Lines of access logs, as the servers write them."""

from __future__ import annotations

import pytest

from tests.support.access_log import Request, parse

DISTRIBUTION = '127.0.0.1 - - [24/Nov/2026:14:07:14 +0000] "POST /v2/a/blobs/uploads/ HTTP/1.1" '


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        (
            DISTRIBUTION + '202 0 "" "skopeo/1.9.3"',
            Request("POST", "/v2/a/blobs/uploads/", 202),
        ),
        ("2026/11/24 13:57:33 GET /v2/", Request("GET", "/v2/", None)),
        (
            "2026/11/24 13:57:33 GET /v2/x/tags/list 404 NAME_UNKNOWN Unknown name",
            Request("GET", "/v2/x/tags/list", 404),
        ),
    ],
)
def test_a_request_is_read(line, request_):
    assert parse(line) == request_


@pytest.mark.parametrize(
    "line",
    [
        "2026/11/24 13:57:32 serving on port 5999",
        'time="2026-11-24T14:07:14Z" level=error msg="listen tcp 127.0.0.1:1: bind"',
        "",
    ],
)
def test_other_lines_are_passed_over(line):
    assert parse(line) is None
