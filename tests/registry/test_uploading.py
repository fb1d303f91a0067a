"""The body of an upload, made of pieces that somebody else reads."""

from __future__ import annotations

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import ContentMismatch
from replicator.registry.uploading import Source
from tests.registry.clients import pieces_of

CONTENT = bytes(range(256)) * 4


@given(
    piece=st.integers(1, 300),
    cuts=st.lists(st.integers(1, 400)).filter(lambda sizes: sum(sizes) <= len(CONTENT)),
)
async def test_parts_of_any_size_are_the_content_in_order(piece, cuts):
    source = Source(pieces_of(CONTENT, piece))
    ends = [0, *accumulate(cuts), len(CONTENT)]

    parts = [await taken(source, end - start) for start, end in pairwise(ends)]

    assert parts == [CONTENT[start:end] for start, end in pairwise(ends)]
    await source.expect_end()


async def test_a_source_that_is_too_short_is_found():
    with pytest.raises(ContentMismatch, match="1 bytes too early"):
        await taken(Source(pieces_of(CONTENT)), len(CONTENT) + 1)


async def test_a_source_that_is_too_long_is_found():
    with pytest.raises(ContentMismatch, match="more bytes"):
        await Source(pieces_of(CONTENT)).expect_end()


async def test_no_part_of_a_piece_is_copied():
    piece = bytearray(b"abcdef")

    async def pieces():
        yield memoryview(piece)

    part = await Source(pieces()).take(3)

    piece[0] = ord("x")
    assert bytes(part) == b"xbc"


async def taken(source: Source, size: int) -> bytes:
    """Take as many bytes, in as many parts as they come in."""
    content = b""
    while len(content) < size:
        content += await source.take(size - len(content))
    return content
