"""How long to wait, by the registry's words or our own."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.registry.retry import LONGEST_BACKOFF, Clock, asked_wait

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("3600", 3600),
        (str(int(NOW) + 90), 90),  # Docker Hub's point in time
        (str(int(NOW) - 90), 0),
        (formatdate(NOW + 30, usegmt=True), 30),
        (formatdate(NOW - 30, usegmt=True), 0),
        ("9" * 20, 366 * 86_400),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 366 * 86_400),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_read_in_every_form(text, seconds):
    assert asked_wait({"retry-after": text}, NOW) == seconds
    assert asked_wait({"x-retry-after": text}, NOW) == seconds


def test_an_answer_may_say_nothing():
    assert asked_wait({}, NOW) is None


@given(st.text(max_size=80))
def test_no_header_breaks_the_client(text):
    wait = asked_wait({"retry-after": text}, NOW)

    assert wait is None or wait >= 0


@given(attempt=st.integers(0, 10_000), chance=st.floats(0, 1))
def test_our_own_wait_grows_but_has_an_end(attempt, chance):
    clock = Clock(random=lambda: chance)

    assert 0 <= clock.backoff(attempt) <= LONGEST_BACKOFF
    assert clock.backoff(attempt) <= clock.backoff(attempt + 1)
