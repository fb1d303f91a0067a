"""What moves in a run fits into a notice, and comes out of it as it went in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.oci.digest import Digest
from replicator.telemetry.snapshot import read_snapshot, take_snapshot

RUN, ME = "20260314-031500-k3f9x2ab", "0a1b2c3d"
CARRIED = 7999

texts = st.text(max_size=400)
sizes = st.integers(0, 2**50)
places = st.sampled_from(["registry.example.com/team/app", "r.io/x", "é" * 100])
images = st.lists(
    st.fixed_dictionaries(
        {"source": texts, "destination": places, "tag": texts, "done": sizes, "size": sizes}
    ),
    max_size=60,
)
blobs = st.lists(
    st.fixed_dictionaries(
        {
            "destination": places,
            "digest": texts,
            "done": sizes,
            "size": sizes,
            "tags": st.lists(texts, max_size=3),
        }
    ),
    max_size=60,
)


def image(n, source="docker.io/library/alpine:3.20"):
    return {
        "source": source,
        "destination": f"registry.example.com/mirror/app{n}",
        "tag": "3.20",
        "done": n,
        "size": 10_000_000,
    }


def blob(n, of):
    digest = str(Digest.of(b"%d" % n))
    place = {"destination": of["destination"], "tags": [of["tag"]]}
    return {**place, "digest": digest, "done": n, "size": 10_000_000}


@given(images, blobs)
def test_whatever_moves_a_snapshot_is_carried_and_no_image_is_forgotten(images, blobs):
    snapshot = take_snapshot(RUN, ME, images, blobs)
    text = snapshot.to_text()

    shown = list(snapshot.images())
    assert text.isascii()
    assert len(text) <= CARRIED
    assert len(shown) + snapshot.more == len(images)
    assert all(each in images for each in shown)
    assert all(each in blobs for each in snapshot.blobs())


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "source": st.text(st.characters(codec="utf-8"), max_size=80),
                "destination": places,
                "tag": st.text(st.characters(codec="utf-8"), max_size=80),
                "done": sizes,
                "size": sizes,
            }
        ),
        max_size=20,
    )
)
def test_another_process_reads_what_was_written(images):
    snapshot = take_snapshot(RUN, ME, images, [])

    assert read_snapshot(snapshot.to_text()) == snapshot


def test_a_usual_number_of_images_has_room_for_all_of_their_blobs():
    moving = [image(n) for n in range(12)]
    parts = [blob(n, each) for each in moving for n in range(4)]

    snapshot = take_snapshot(RUN, ME, moving, parts)

    assert (len(list(snapshot.images())), snapshot.more) == (12, 0)
    assert len(list(snapshot.blobs())) == 48


def test_each_of_several_images_of_a_repository_has_its_own_blobs():
    first, second = image(1), {**image(1), "tag": "edge"}
    parts = [blob(n, first) for n in range(20)] + [blob(n, second) for n in range(20, 24)]
    signature = {**blob(30, first), "tags": []}

    snapshot = take_snapshot(RUN, ME, [first, second], [*parts, signature])

    told = [(each["done"], each["tags"]) for each in snapshot.blobs()]
    assert told == [
        *((n, ["3.20"]) for n in range(12)),
        (30, []),
        *((n, ["edge"]) for n in range(20, 24)),
    ]


def test_a_blob_that_very_many_images_share_leaves_room_for_them():
    moving = [{**image(1), "tag": f"20260314-{n:04}"} for n in range(60)]
    shared = {**blob(1, moving[0]), "tags": [each["tag"] for each in moving]}

    snapshot = take_snapshot(RUN, ME, moving, [{**shared, "digest": f"{n}"} for n in range(12)])

    assert (snapshot.more, len(list(snapshot.blobs()))) == (0, 12)


def test_a_process_of_an_earlier_version_names_no_tags():
    said = json.loads(take_snapshot(RUN, ME, [image(1)], [blob(1, image(1))]).to_text())
    for each in said["places"][0][2]:
        del each[3:]

    read = read_snapshot(json.dumps(said))

    assert read is not None
    assert [each["tags"] for each in read.blobs()] == [[]]


def test_an_image_that_finds_no_room_leaves_it_to_others():
    long = image(1, source="oci:/" + "x" * 9000)

    snapshot = take_snapshot(RUN, ME, [long, image(2)], [])

    assert [each["done"] for each in snapshot.images()] == [2]
    assert snapshot.more == 1


@given(st.text())
def test_any_text_is_read_without_an_error(text):
    assert read_snapshot(text) is None


@pytest.mark.parametrize(
    "change",
    [
        {"run": 1},
        {"more": -1},
        {"places": [["r.io/x", [["s", "t", -1, 2]], []]]},
        {"places": [["r.io/x", [["s", "t", "1", 2]], []]]},
        {"places": [["r.io/x", [["s", "t"]], []]]},
        {"places": None},
    ],
)
def test_what_is_not_of_this_form_is_no_snapshot(change):
    document = json.loads(take_snapshot(RUN, ME, [image(1)], []).to_text())

    assert read_snapshot(json.dumps({**document, **change})) is None
