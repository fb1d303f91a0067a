"""Logs: one JSON object a line, about what was bound where they were written."""

from __future__ import annotations

import json
import logging
import sys

import pytest
import structlog

from replicator.events import RegistryWarned, RequestKind, RequestRetried, TagFinished
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.telemetry.logging import log_event, set_up_logs

APP = RepositoryName("hub.example.com", "team/app")


@pytest.fixture
def start(capsys):
    """Sets logs up, within the test, and returns what gives the lines since then."""
    root = logging.getLogger()
    level = root.level

    def start_now():
        set_up_logs()
        return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    before = root.handlers[:]
    with structlog.contextvars.bound_contextvars():
        yield start_now
    root.handlers[:] = before
    root.setLevel(level)


def test_a_line_says_what_happened_and_what_it_is_about(start):
    lines = start()
    with structlog.contextvars.bound_contextvars(run="run-1", rule="app"):
        logging.getLogger("replicator.somewhere").warning("odd", extra={"error": "broken"})

    (line,) = lines()
    assert line.pop("time").endswith("Z")
    assert line == {
        "event": "odd",
        "level": "warning",
        "run": "run-1",
        "rule": "app",
        "error": "broken",
    }


def test_a_trace_stays_in_its_line(start):
    lines = start()
    try:
        raise ValueError("mistake")
    except ValueError:
        logging.getLogger("replicator").exception("broken")

    (line,) = lines()
    assert "ValueError: mistake" in line["exception"]


def test_events_that_people_look_for_are_written(start):
    lines = start()
    log_event(RegistryWarned("hub.example.com", "deprecated"))
    log_event(RequestRetried("hub.example.com", RequestKind.TAGS, "429", 1.5))
    log_event(TagFinished("source.io/app:1", APP, Tag("1"), None, "404", "not_found"))
    log_event(TagFinished("source.io/app:2", APP, Tag("2"), Digest.of(b"2"), None, written=True))

    found = lines()
    assert [line["event"] for line in found] == [
        "registry warned",
        "request repeated",
        "tag failed",
        "tag copied",
    ]
    assert {line["registry"] for line in found} == {"hub.example.com"}
    assert (found[2]["destination"], found[2]["error"]) == (f"{APP}:1", "404")
    assert found[2]["class"] == "not_found"


@pytest.mark.parametrize("added", [0, 3])
def test_a_tag_that_was_there_already_is_not_said_to_be_copied(start, added):
    lines = start()
    log_event(TagFinished("source.io/app:1", APP, Tag("1"), Digest.of(b"1"), None, added=added))

    (line,) = lines()
    assert (line["event"], line["referrers_added"]) == ("tag unchanged", added)
    assert (line["destination"], line["digest"]) == (f"{APP}:1", str(Digest.of(b"1")))


def test_libraries_are_heard_when_they_warn_only(start):
    lines = start()
    for name in ("apscheduler.executors.default", "uvicorn.error"):
        logging.getLogger(name).info("each step of mine")

    assert lines() == []


def test_on_a_terminal_lines_are_for_people(capsys, monkeypatch, start):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    start()
    logging.getLogger("replicator").info("serving", extra={"on": "127.0.0.1:1"})

    written = capsys.readouterr().err
    assert "serving" in written
    assert not written.startswith("{")
