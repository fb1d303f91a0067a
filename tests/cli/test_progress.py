"""Progress, as it is learnt from events and as it is shown."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from replicator import events
from replicator.cli.progress.bars import picture
from replicator.cli.progress.describe import Describer
from replicator.cli.progress.lines import Lines, totals_line
from replicator.cli.progress.meter import Meter
from replicator.cli.progress.rate import Rate
from replicator.events import BlobOutcome, RequestKind
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag

SOURCE = "source.io/app:1"
HERE = RepositoryName("destination.io", "app")
ONE, TWO = Digest.of(b"one"), Digest.of(b"two")
MIB = 1 << 20


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def meter(clock):
    return Meter(clock)


def started(tag="1", **blobs):
    sizes = {Digest.of(name.encode()): size for name, size in blobs.items()}
    return events.TagStarted(SOURCE, HERE, Tag(tag), sizes)


def finished(tag="1", error=None):
    return events.TagFinished(SOURCE, HERE, Tag(tag), None if error else ONE, error)


def hear(listener, *heard):
    for event in heard:
        listener(event)


def test_moved_mounted_and_skipped_bytes_are_counted_apart(meter):
    hear(
        meter,
        started(one=10, two=20, three=40),
        events.BlobProgressed(HERE, ONE, 10),
        events.BlobFinished(HERE, ONE, 10, BlobOutcome.COPIED),
        events.BlobFinished(HERE, TWO, 20, BlobOutcome.MOUNTED),
        events.BlobFinished(HERE, Digest.of(b"three"), 40, BlobOutcome.PRESENT),
    )

    amount = meter.totals.amount
    assert (amount.moved, amount.mounted, amount.skipped) == (10, 20, 40)
    assert (amount.done, amount.expected) == (70, 70)


def test_bytes_that_a_destination_lost_are_taken_back(meter):
    hear(
        meter,
        started(one=10),
        events.BlobProgressed(HERE, ONE, 8),
        events.BlobProgressed(HERE, ONE, -8),
    )

    assert meter.totals.amount.done == 0


def test_two_images_of_one_repository_each_get_a_blob_that_they_share(meter):
    hear(
        meter,
        started("1", one=10),
        started("2", one=10),
        events.BlobProgressed(HERE, ONE, 10),
        events.BlobFinished(HERE, ONE, 10, BlobOutcome.COPIED),
        events.BlobFinished(HERE, ONE, 10, BlobOutcome.PRESENT),
    )

    assert [image.amount.done for image in meter.images.values()] == [10, 10]


def test_a_failed_image_is_not_waited_for(meter):
    hear(
        meter,
        started("1", one=10),
        started("2", two=90),
        events.BlobProgressed(HERE, TWO, 40),
        finished("2", error="no"),
    )

    assert meter.totals.amount.expected == 50
    assert (meter.totals.images, meter.totals.failed) == (0, 1)


def test_blobs_of_referrers_were_not_announced_and_count_all_the_same(meter):
    hear(
        meter,
        started(one=10),
        events.BlobProgressed(HERE, TWO, 5),
        events.BlobFinished(HERE, TWO, 5, BlobOutcome.COPIED),
    )

    assert (meter.totals.amount.done, meter.totals.amount.expected) == (5, 15)


@given(
    st.lists(
        st.sampled_from(
            [
                started("1", one=10),
                started("2", one=10, two=5),
                events.BlobProgressed(HERE, ONE, 4),
                events.BlobProgressed(HERE, ONE, -4),
                events.BlobFinished(HERE, ONE, 10, BlobOutcome.COPIED),
                events.BlobFinished(HERE, TWO, 5, BlobOutcome.PRESENT),
                events.BlobFinished(HERE, TWO, 5, BlobOutcome.MOUNTED),
                finished("1"),
                finished("2", error="no"),
            ]
        )
    )
)
def test_no_order_of_events_breaks_the_picture(heard):
    meter = Meter(Clock())

    hear(meter, *heard)

    assert drawn(meter) is not None
    assert totals_line(meter)


def test_the_rate_is_that_of_the_last_seconds(clock):
    rate = Rate(clock)
    for _ in range(20):
        clock.now += 1
        rate.add(1000)
    for _ in range(20):
        clock.now += 1
        rate.add(3000)

    assert rate.per_second() == pytest.approx(3000, rel=0.2)


def test_what_does_not_move_has_no_time_left(meter, clock):
    hear(meter, started(one=10 * MIB))
    clock.now += 60

    assert meter.totals.amount.seconds_left() is None


def test_the_time_left_follows_from_the_rate(meter, clock):
    hear(meter, started(one=10 * MIB))
    for _ in range(5):
        clock.now += 1
        hear(meter, events.BlobProgressed(HERE, ONE, MIB))

    assert meter.totals.amount.seconds_left() == pytest.approx(5, rel=0.1)


def test_nothing_is_shown_while_nothing_happens(meter):
    assert drawn(meter).strip() == ""


def test_images_and_the_total_are_shown_with_bytes_rate_and_time_left(meter, clock):
    hear(meter, started(one=10 * MIB, two=2 * MIB))
    for _ in range(5):
        clock.now += 1
        hear(meter, events.BlobProgressed(HERE, ONE, MIB))
    hear(meter, events.BlobFinished(HERE, TWO, 2 * MIB, BlobOutcome.MOUNTED))

    image, total, ways = drawn(meter).splitlines()

    assert image.startswith("destination.io/app:1")
    for line in (image, total):
        assert "7.0 MiB / 12.0 MiB" in line
        assert "1.0 MiB/s" in line
        assert "5.0 s" in line
    assert total.startswith("total · 0 images done")
    assert ways.startswith("moved 0 blobs, 5.0 MiB · mounted 1, 2.0 MiB · skipped 0, 0 B")


@pytest.mark.parametrize("width", [60, 70, 80])
def test_a_terminal_of_few_columns_shows_how_far_each_image_is_and_no_number_in_part(
    meter, clock, width
):
    where = RepositoryName("registry.example.com:5000", "mirror/library/team/application")
    for number in range(20):
        digest = Digest.of(str(number).encode())
        hear(
            meter,
            events.TagStarted(SOURCE, where, Tag(f"1.2.{number}-alpine"), {digest: 1000 * MIB}),
            events.BlobProgressed(where, digest, 270 * MIB),
        )
    clock.now += 1
    hear(meter, finished("failed", error="no"))

    *images, total, ways = drawn(meter, width=width).splitlines()

    assert len(images) == 12
    for number, line in enumerate(images):
        assert len(line) <= width
        name, percent, rate, left = re.split(r"  +", re.sub(r"[━╸╺]+", "", line).strip())
        assert re.fullmatch(rf"regis.*….*\.{number}-alpine", name)
        assert (percent, rate, left) == ("27 %", "270.0 MiB/s", "2.7 s")
    assert total.startswith("total · 0 images")
    assert "5.3 GiB/s" in total
    assert ways.startswith("1 failed · moved 0 blobs, 5.3 GiB · ")


def test_a_narrow_terminal_shows_both_ends_of_a_long_name_and_all_numbers(meter, clock):
    tag = "1.2.3-" + "long" * 20 + "-arm64"
    hear(meter, started(tag, one=1000 * MIB))
    clock.now += 1
    hear(meter, events.BlobProgressed(HERE, ONE, 123 * MIB))

    image, *_ = drawn(meter, width=90).splitlines()

    assert len(image) <= 90
    assert image.startswith("destinat…")
    assert "-arm64  " in image
    assert "123.0 MiB / 1000.0 MiB" in image
    assert "123.0 MiB/s" in image
    assert image.rstrip().endswith(" s")


def test_of_many_images_a_terminal_shows_some_and_how_many_more(meter):
    hear(meter, *(started(str(number), one=1) for number in range(40)))

    lines = drawn(meter).splitlines()

    assert len(lines) == 14
    assert "28 more" in lines[-2]


def test_in_a_pipe_there_is_a_line_for_each_tag_that_was_written_or_failed(clock):
    said: list[str] = []
    lines = Lines(said.append, verbosity=0, tags=True, clock=clock)

    hear(
        lines,
        started("1"),
        started("2"),
        events.ManifestWritten(HERE, ONE, Tag("1")),
        finished("1"),
        finished("2"),
        finished("3", error="no room"),
    )

    assert said == [
        "copied source.io/app:1 → destination.io/app:1",
        "failed source.io/app:1 → destination.io/app:3: no room",
    ]


def test_in_a_pipe_there_is_a_line_about_the_whole_now_and_then(clock):
    said: list[str] = []
    lines = Lines(said.append, verbosity=0, tags=True, clock=clock)

    hear(lines, started(one=100 * MIB))
    for _ in range(25):
        clock.now += 1
        hear(lines, events.BlobProgressed(HERE, ONE, MIB))

    assert [line.partition(" · ")[2].partition(" · ")[0] for line in said] == [
        "10.0 MiB of 100.0 MiB",
        "20.0 MiB of 100.0 MiB",
    ]


def test_a_warning_is_told_once():
    describer = Describer(verbosity=0, tags=True)
    warning = events.RegistryWarned("registry.io", "soon gone")

    assert describer.describe(warning) == "warning from registry.io: soon gone"
    assert describer.describe(warning) == ""


def test_whoever_waits_for_a_registry_that_says_nothing_is_told_so():
    describer = Describer(verbosity=0, tags=True)

    def after(silence, number):
        retried = events.RequestRetried(
            "registry.io", RequestKind.TAGS, "no answer", 0.5, silence, number, 5
        )
        return describer.describe(retried)

    told = [after(60.2, 2), after(60.1, 2), after(0.1, 3), after(60.0, 3)]

    assert told == [
        "waiting for registry.io: no answer for 60 s; try 2 of 5",
        "",
        "",
        "waiting for registry.io: no answer for 60 s; try 3 of 5",
    ]


@pytest.mark.parametrize(
    ("event", "verbosity"),
    [
        (events.RequestRetried("registry.io", RequestKind.TAGS, "503", 1.5), 1),
        (events.BlobFinished(HERE, ONE, 10, BlobOutcome.MOUNTED), 1),
        (events.RequestFinished("registry.io", RequestKind.TAGS, 200, 0.01, "GET"), 2),
    ],
)
def test_whoever_asks_for_more_is_told_more(event, verbosity):
    assert Describer(verbosity=verbosity, tags=True).describe(event)
    assert not Describer(verbosity=verbosity - 1, tags=True).describe(event)


def drawn(meter, width=120):
    console = Console(file=io.StringIO(), width=width)
    console.print(picture(meter, width))
    return console.file.getvalue()
