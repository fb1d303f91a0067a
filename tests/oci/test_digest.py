"""Digests are valid from birth, and parsing is the inverse of printing."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from replicator.errors import InvalidDigest
from replicator.oci.digest import Digest

contents = st.binary(max_size=64)
algorithms = st.sampled_from(["sha256", "sha512"])


@given(content=contents, algorithm=algorithms)
def test_parsing_is_the_inverse_of_printing(content, algorithm):
    digest = Digest.of(content, algorithm)

    assert Digest.parse(str(digest)) == digest


@given(content=contents, algorithm=algorithms)
def test_the_digest_of_content_is_its_hash(content, algorithm):
    assert Digest.of(content, algorithm).hex == hashlib.new(algorithm, content).hexdigest()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not of the form"),
        ("sha256", "not of the form"),
        ("md5:" + "0" * 32, "unsupported digest algorithm 'md5'"),
        ("blake3:" + "0" * 64, "unsupported digest algorithm 'blake3'"),
        ("SHA256:" + "0" * 64, "unsupported digest algorithm 'SHA256'"),
        ("sha256:" + "A" * 64, "64 lower-case hex digits"),
        ("sha256:" + "0" * 63, "64 lower-case hex digits"),
        ("sha256:" + "0" * 65, "64 lower-case hex digits"),
        ("sha512:" + "0" * 64, "128 lower-case hex digits"),
        ("sha256:" + "0" * 63 + "\n", "64 lower-case hex digits"),
        ("sha256:" + "٠" * 64, "64 lower-case hex digits"),
        ("sha256:../../../etc/passwd", "64 lower-case hex digits"),
    ],
)
def test_what_cannot_be_verified_is_no_digest(text, complaint):
    with pytest.raises(InvalidDigest, match=complaint):
        Digest.parse(text)


@example("sha256:" + "0" * 100_000)
@given(st.text())
def test_no_text_raises_anything_but_invalid_digest(text):
    try:
        digest = Digest.parse(text)
    except InvalidDigest as error:
        assert len(str(error)) < 400  # noqa: PT017 - the message is the subject
    else:
        assert str(digest) == text
