"""``replicate demo``: the first thing that somebody sees."""

from __future__ import annotations

import re


async def test_the_demo_tells_its_story_in_far_less_than_a_minute(replicate):
    done = await replicate("demo")

    assert done.code == 0, done.err
    assert done.out.index("First run") < done.out.index("Second run")
    assert done.out.index("Second run") < done.out.index("A tag moves") < done.out.index("History")
    assert "\x1b" not in done.out + done.err
    assert list(replicate.folder.iterdir()) == []


async def test_its_second_run_sends_nothing_and_its_third_exactly_the_tag_that_moved(replicate):
    done = await replicate("demo")

    rows = re.findall(r"^ +(shop|charts) +(\d+) +(\d+) +(\d+), ", done.out, re.MULTILINE)
    copied, in_step, moved = zip(*(map(int, row[1:]) for row in rows), strict=True)
    assert copied == (1, 4, 0, 0, 0, 1)
    assert moved[2:5] == (0, 0, 0)
    assert moved[0] > 0
    assert moved[1] > 0
    assert moved[5] > 0
    assert in_step[2] == 1


async def test_it_shows_what_the_registries_have_counted(replicate):
    done = await replicate("demo")

    rows = re.findall(r"^ +(the source|the destination) +(\d+) +(.*)$", done.out, re.MULTILINE)
    assert [name for name, *_ in rows] == ["the source", "the destination"] * 3
    assert all(int(total) > 20 for _, total, _ in rows[:2])
    assert int(rows[3][1]) <= 1


async def test_a_kept_folder_has_the_history_and_the_command_that_shows_it(replicate):
    done = await replicate("demo", "--dir", "try")

    command = done.out.splitlines()[-1].split()
    listed = await replicate(*command[1:], "--json")
    assert command[0] == "replicate"
    assert [run["rule"] for run in listed.json["runs"]].count("shop") == 3
