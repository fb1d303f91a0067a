"""Spans of what happens, from the run down to a request."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from replicator.events import (
    ItemFinished,
    ItemStarted,
    RequestFinished,
    RequestKind,
    RunFinished,
    TagFinished,
    TagStarted,
)
from replicator.oci.digest import Digest
from replicator.oci.reference import Tag
from replicator.telemetry.traces import Traces, open_traces
from tests.store.values import ALPINE, NOON

RUN = "20260314-120000-v6zwzjkn"
HEAD = RequestFinished("registry.example.com", RequestKind.MANIFEST_HEAD, 200, 0.25, "HEAD")


@pytest.fixture
def spans():
    return InMemorySpanExporter()


@pytest.fixture
def traces(spans):
    traces = Traces(SimpleSpanProcessor(spans))
    yield traces
    traces.close()


def tag_started(tag: str) -> TagStarted:
    return TagStarted(f"docker.io/library/alpine:{tag}", ALPINE, Tag(tag), {})


def tag_finished(tag: str, error: str | None = None) -> TagFinished:
    return TagFinished(
        f"alpine:{tag}", ALPINE, Tag(tag), Digest.of(b"") if not error else None, error
    )


async def item(traces, number, *tags, error=None):
    """Carry out an item, each of its tags in a task of its own, all at once."""
    traces.hear(ItemStarted(RUN, "base", number, "repository", 1))
    begun = asyncio.Barrier(len(tags) + 1)

    async def copy(tag):
        traces.hear(tag_started(tag))
        await begun.wait()
        traces.hear(HEAD)
        traces.hear(tag_finished(tag))

    async with asyncio.TaskGroup() as group:
        for tag in tags:
            group.create_task(copy(tag))
        await begun.wait()
        traces.hear(HEAD)
    traces.hear(ItemFinished(RUN, number, error))


def run_finished(state="succeeded"):
    return RunFinished(RUN, "base", state, NOON, NOON + timedelta(minutes=1))


async def test_a_run_is_one_tree_of_items_tags_and_requests(traces, spans):
    async with asyncio.TaskGroup() as group:
        group.create_task(item(traces, 1, "3.20", "3.21"))
        group.create_task(item(traces, 2, "edge"))
    traces.hear(run_finished())

    found = {span.context.span_id: span for span in spans.get_finished_spans()}
    paths = sorted(" > ".join(_path(span, found)) for span in found.values())
    one, two = "run base > item repository 1", "run base > item repository 2"
    assert paths == sorted(
        [
            "run base",
            one,
            f"{one} > manifest_head",
            *(f"{one} > {tag}" for tag in ("3.20", "3.21")),
            *(f"{one} > {tag} > manifest_head" for tag in ("3.20", "3.21")),
            two,
            f"{two} > manifest_head",
            f"{two} > edge",
            f"{two} > edge > manifest_head",
        ]
    )
    assert len({span.context.trace_id for span in found.values()}) == 1


def _path(span, found):
    parent = [] if span.parent is None else _path(found[span.parent.span_id], found)
    return [*parent, _name(span)]


def _name(span):
    if span.name == "copy tag":
        return span.attributes["replicator.destination"].rpartition(":")[2]
    number = span.attributes.get("replicator.item")
    return f"{span.name} {number}" if number else span.name


async def test_workers_that_know_nothing_of_each_other_write_one_trace(spans):
    for number in (1, 2):
        traces = Traces(SimpleSpanProcessor(spans))
        await item(traces, number)
    traces.hear(run_finished())

    found = spans.get_finished_spans()
    assert len({span.context.trace_id for span in found}) == 1
    assert {span.parent.span_id for span in found if span.name.startswith("item")} == {
        span.context.span_id for span in found if span.name == "run base"
    }


async def test_a_request_took_as_long_as_it_did(traces, spans):
    await item(traces, 1)

    (request,) = (span for span in spans.get_finished_spans() if span.name == "manifest_head")
    assert request.end_time - request.start_time == pytest.approx(0.25e9, rel=1e-6)
    assert request.attributes == {
        "http.request.method": "HEAD",
        "server.address": "registry.example.com",
        "http.response.status_code": 200,
    }


async def test_a_request_says_why_it_came_to_nothing(traces, spans):
    traces.hear(ItemStarted(RUN, "base", 1, "repository", 1))
    for status in (404, None):
        traces.hear(RequestFinished("r.io", RequestKind.BLOB_GET, status, 1.0, "GET"))

    found = [span.attributes["error.type"] for span in spans.get_finished_spans()]
    assert found == ["404", "no_answer"]


async def test_what_failed_is_marked(traces, spans):
    traces.hear(ItemStarted(RUN, "base", 1, "repository", 1))
    for tag, error in (("a", "no answer"), ("b", None)):
        traces.hear(tag_started(tag))
        traces.hear(tag_finished(tag, error))
    traces.hear(tag_started("left"))
    traces.hear(RequestFinished("r.io", RequestKind.BLOB_GET, None, 1.0, "GET"))
    traces.hear(ItemFinished(RUN, 1, "given back"))
    traces.hear(run_finished("partial"))

    status = {_name(span): span.status for span in spans.get_finished_spans()}
    assert {name for name, each in status.items() if each.status_code is StatusCode.ERROR} == {
        "a",
        "left",
        "blob_get",
        "item repository 1",
        "run base",
    }
    assert status["a"].description == "no answer"


def test_without_an_item_nothing_is_written(traces, spans):
    traces.hear(HEAD)
    traces.hear(tag_finished("1"))

    assert spans.get_finished_spans() == ()


def test_nothing_is_sent_unless_it_is_said_where_to():
    assert open_traces({}) is None
