"""What happened on the way to a registry is told in words that people know."""

from __future__ import annotations

import errno
import socket
import ssl

import httpx
import pytest

from replicator.registry.answers import Attempt
from replicator.registry.wire import no_answer

ATTEMPT = Attempt("example.com", "example.com/app", "GET manifests/latest")


def caused_by(cause: OSError) -> httpx.ConnectError:
    error = httpx.ConnectError("the library's own words")
    error.__cause__ = cause
    return error


def answer_without_tls() -> ssl.SSLError:
    """What TLS says of a server that does not speak it."""
    received = ssl.MemoryBIO()
    received.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    client = ssl.create_default_context().wrap_bio(received, ssl.MemoryBIO(), server_hostname="a.b")
    with pytest.raises(ssl.SSLError) as failure:
        client.do_handshake()
    return failure.value


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            caused_by(ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('::1', 1)")),
            "no answer: connection refused",
        ),
        (
            caused_by(socket.gaierror(socket.EAI_NONAME, "Name or service not known")),
            "no answer: the host is not known (Name or service not known)",
        ),
        (
            caused_by(OSError(errno.ENETUNREACH, "whatever")),
            "no answer: network is unreachable",
        ),
        (
            caused_by(answer_without_tls()),
            "no answer: TLS failed (wrong version number); "
            "a registry without TLS needs plain_http = true",
        ),
        (httpx.ReadError("the connection was closed"), "no answer: the connection was closed"),
        (httpx.ReadTimeout(""), "no answer: too slow (ReadTimeout)"),
    ],
)
def test_a_request_without_an_answer_says_why(error, words):
    told = no_answer(error, ATTEMPT)

    assert str(told) == f"example.com/app: GET manifests/latest: {words}"
    assert told.retryable
