"""Answers of strangers, read without breaking."""

from __future__ import annotations

import json

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from replicator import errors
from replicator.registry.answers import (
    MAX_WORDS,
    Answer,
    Attempt,
    error_of,
    json_object,
    number_in,
    problems,
    shown,
)
from replicator.registry.links import next_link

URL = httpx.URL("https://registry.test/v2/team/app/manifests/v1?secret=1")
ATTEMPT = Attempt("registry.test", "registry.test/team/app", "GET manifests/v1")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
error_bodies = st.lists(
    st.fixed_dictionaries({"code": json_values}, optional={"message": json_values})
).map(lambda found: {"errors": found})


def answer(status=400, content=b"", **headers):
    return Answer(status, httpx.Headers(headers), content, URL)


@example(b"[" * 60_000)
@example(b'{"errors": [{"code": 1, "message": null}, {"code": "\\ud800"}]}')
@given(st.binary() | (json_values | error_bodies).map(lambda value: json.dumps(value).encode()))
def test_no_error_body_breaks_the_client(body):
    error = error_of(answer(400, body), ATTEMPT)

    assert all(code.isprintable() for code in error.codes)
    assert str(error).isprintable()
    assert len(str(error)) <= len(str(ATTEMPT)) + MAX_WORDS + 20


@example(b"[]")
@example(b"<html>")
@given(st.binary())
def test_what_is_no_json_object_is_no_registrys(body):
    with pytest.raises(errors.NotARegistry) as refusal:
        json_object(answer(200, b"!" + body), ATTEMPT)

    assert "secret" not in str(refusal.value)


@given(st.text())
def test_words_are_short_and_on_one_line(text):
    words = shown(text)

    assert words == "" or words.isprintable()
    assert len(words) <= MAX_WORDS
    assert shown(words) == words


@given(st.text(max_size=30))
def test_only_digits_are_a_number(text):
    number = number_in(text)

    assert number is None or (text.isascii() and int(text) == number)


def test_superscripts_are_no_number():
    assert number_in("²") is None


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "UNAUTHORIZED", errors.Unauthorized),
        (403, "DENIED", errors.Denied),
        (405, "DENIED", errors.Denied),
        (405, "UNSUPPORTED", errors.Rejected),
        (404, "NAME_UNKNOWN", errors.NotFound),
        (400, "NAME_INVALID", errors.Rejected),
        (408, "", errors.RegistryUnavailable),
        (413, "", errors.TooLarge),
        (429, "", errors.RateLimited),
        (400, "TOOMANYREQUESTS", errors.RateLimited),
        (503, "TOOMANYREQUESTS", errors.RateLimited),
        (400, "UNAVAILABLE", errors.RegistryUnavailable),
        (500, "UNKNOWN", errors.RegistryUnavailable),
        (204, "", errors.NotARegistry),
        (302, "", errors.NotARegistry),
    ],
)
def test_the_status_decides_and_the_code_refines(status, code, kind):
    body = json.dumps({"errors": [{"code": code}]} if code else {}).encode()

    error = error_of(answer(status, body), ATTEMPT)

    assert type(error) is kind
    assert error.registry == "registry.test"


def test_a_message_says_what_was_tried_and_what_came():
    body = json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "no such"}]}).encode()

    assert str(error_of(answer(404, body), ATTEMPT)) == (
        "registry.test/team/app: GET manifests/v1: 404 MANIFEST_UNKNOWN no such"
    )


def test_a_message_says_what_only_the_detail_says():
    detail = {"message": "'history' is a required property " + "x" * 9000}
    error = {"code": "MANIFEST_INVALID", "message": "manifest invalid", "detail": detail}

    message = str(error_of(answer(400, json.dumps({"errors": [error]}).encode()), ATTEMPT))

    assert "MANIFEST_INVALID manifest invalid 'history' is a required property" in message
    assert len(message) < 400


def test_details_are_kept_as_they_came():
    body = json.dumps({"errors": [{"code": "X", "detail": {"Digest": "sha256:00"}}]}).encode()

    assert problems(body)[0].detail == {"Digest": "sha256:00"}


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('</v2/a/tags/list?n=1&last=b>; rel="next"', "/v2/a/tags/list?n=1&last=b"),
        ("<?last=b>;rel=next", "?last=b"),
        ('<?last=a,b>; title="x; rel=\\"prev"; rel="next"', "?last=a,b"),
        ('<?p=1>; rel="prev" , <?p=3>; rel="next"', "?p=3"),
        ('<?p=1>; rel="last next"', "?p=1"),
        ('<?p=1>; rel="prev"', None),
        ("?p=1", None),
        ("", None),
        ("<" * 100_000, None),
        ("<x>" + " ;" * 50_000, None),
    ],
)
def test_the_next_page_is_found_in_a_link(header, target):
    assert next_link(header) == target


@given(st.text(alphabet='<>;=", relnxt\\?', max_size=200))
def test_no_link_breaks_the_client(header):
    target = next_link(header)

    assert target is None or f"<{target}>" in header
