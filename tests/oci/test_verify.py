"""A verifier knows the right bytes from all others, also after going back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import ContentMismatch
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.verify import CHECKPOINT_INTERVAL, Verifier


def blob_of(content: bytes) -> Descriptor:
    return Descriptor("application/octet-stream", Digest.of(content), len(content))


@given(st.lists(st.binary()))
def test_the_right_bytes_pass_however_they_are_cut(pieces):
    verifier = Verifier(blob_of(b"".join(pieces)))

    for piece in pieces:
        verifier.update(piece)

    verifier.finish()


@given(content=st.binary(min_size=1), position=st.integers(min_value=0))
def test_one_changed_byte_is_noticed(content, position):
    changed = bytearray(content)
    changed[position % len(content)] ^= 1
    verifier = Verifier(blob_of(content))
    verifier.update(changed)

    with pytest.raises(ContentMismatch, match="have the digest"):
        verifier.finish()


def test_a_short_blob_is_noticed():
    verifier = Verifier(blob_of(b"four"))
    verifier.update(b"thr")

    with pytest.raises(ContentMismatch, match="3 of 4 bytes"):
        verifier.finish()


def test_the_first_byte_too_many_is_noticed():
    verifier = Verifier(blob_of(b"four"))

    with pytest.raises(ContentMismatch, match="more than the 4 bytes"):
        verifier.update(b"fours")


@given(content=st.binary(min_size=40, max_size=400), offset=st.integers(0, 400))
def test_after_going_back_the_rest_is_read_again_and_passes(content, offset):
    offset = min(offset, len(content))
    verifier = Verifier(blob_of(content), checkpoint_every=16)
    for start in range(0, len(content), 7):
        verifier.update(content[start : start + 7])

    start = verifier.rewind(offset)

    assert start <= offset
    assert offset - start < 16 + 7
    verifier.update(content[start:])
    verifier.finish()


@given(content=st.binary(min_size=1), cut=st.integers(min_value=0), data=st.data())
def test_a_fork_and_its_original_go_on_independently(content, cut, data):
    cut %= len(content) + 1
    verifier = Verifier(blob_of(content))
    verifier.update(content[:cut])
    offset = data.draw(st.integers(0, cut))

    fork = verifier.fork(offset)

    assert fork.offset <= offset
    assert verifier.offset == cut
    fork.update(content[fork.offset :])
    fork.finish()
    verifier.update(content[cut:])
    verifier.finish()


def test_a_fork_begins_at_the_checkpoint_before():
    content = bytes(2 * CHECKPOINT_INTERVAL + 10)
    verifier = Verifier(blob_of(content))
    for start in range(0, len(content), CHECKPOINT_INTERVAL // 2):
        verifier.update(content[start : start + CHECKPOINT_INTERVAL // 2])

    assert verifier.fork(CHECKPOINT_INTERVAL + 5).offset == CHECKPOINT_INTERVAL
