"""What is shown of the runs of this process while they move."""

from __future__ import annotations

import pytest
import structlog

from replicator.events import (
    BlobFinished,
    BlobOutcome,
    BlobProgressed,
    BlobStarted,
    TagFinished,
    TagStarted,
)
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.telemetry.live import LiveRuns

THERE = RepositoryName("registry.example.com", "app")
SHARED, OWN = Digest.of(b"shared"), Digest.of(b"own")


@pytest.fixture
def live():
    live = LiveRuns()
    with structlog.contextvars.bound_contextvars(run="r1"):
        yield live


def started(tag, *blobs):
    return TagStarted("source.io/app:1", THERE, Tag(tag), dict.fromkeys(blobs, 100))


def failed(tag):
    return TagFinished("source.io/app:1", THERE, Tag(tag), None, "the disk is full", "x")


def moving(live):
    return [(each["digest"], each["done"]) for each in live.blobs("r1")]


def test_a_blob_moves_from_its_start_to_its_end(live):
    live.hear(started("v1", OWN))
    live.hear(BlobStarted(THERE, OWN, 100))
    live.hear(BlobProgressed(THERE, OWN, 60))

    assert moving(live) == [(str(OWN), 60)]
    assert [each["done"] for each in live.images("r1")] == [60]

    live.hear(BlobFinished(THERE, OWN, 100, BlobOutcome.COPIED))

    assert moving(live) == []
    assert [each["done"] for each in live.images("r1")] == [100]


def test_blobs_of_an_image_that_failed_move_no_more_unless_another_needs_them(live):
    live.hear(started("v1", SHARED, OWN))
    live.hear(started("v2", SHARED))
    live.hear(BlobStarted(THERE, SHARED, 100))
    live.hear(BlobStarted(THERE, OWN, 100))

    live.hear(failed("v1"))

    assert moving(live) == [(str(SHARED), 0)]

    live.hear(failed("v2"))

    assert moving(live) == []


def test_a_blob_names_the_tags_that_wait_for_it(live):
    live.hear(started("v1", SHARED))
    live.hear(started("v2", SHARED, OWN))
    for digest in (SHARED, OWN, Digest.of(b"of a signature")):
        live.hear(BlobStarted(THERE, digest, 100))

    assert [each["tags"] for each in live.blobs("r1")] == [["v1", "v2"], ["v2"], []]


def test_a_blob_of_another_repository_is_no_tag_s_blob(live):
    live.hear(started("v1", OWN))
    live.hear(BlobStarted(RepositoryName("registry.example.com", "other"), OWN, 100))

    assert [each["tags"] for each in live.blobs("r1")] == [[]]
