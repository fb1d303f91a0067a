"""Traces: run → item → tag → request, for OpenTelemetry; what listens only where it is wanted.

A run has one trace, whichever workers carry out its items: its identifiers follow from the run's
own, so that nothing has to be passed around.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final, TypeAlias

from replicator import events
from replicator.events import Event
from replicator.oci.reference import RepositoryName, Tag
from replicator.values import dataclass

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Span

_log = logging.getLogger(__name__)

# Where spans are to be sent; the variables are OpenTelemetry's own.
_WANTED: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_TagKey: TypeAlias = tuple[RepositoryName, Tag]


@dataclass(frozen=True, slots=True)
class _Item:
    """The span of an item, and those of its tags that are under way."""

    span: Span
    tags: dict[_TagKey, Span]


# The item and the span that this task works for; tasks that it starts inherit them.
_current: ContextVar[tuple[_Item, Span] | None] = ContextVar("replicator_span", default=None)


def open_traces(environment: Mapping[str, str]) -> Traces | None:
    """Return what sends traces to where *environment* says; None when it says nothing."""
    if not any(environment.get(name) for name in _WANTED):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        _log.warning(
            "no traces are sent: `pip install '.[otel]'` in a checkout of this project "
            "installs what it takes"
        )
        return None
    return Traces(BatchSpanProcessor(OTLPSpanExporter()))


class Traces:
    """Makes spans of what is heard, and hands them to *processor*."""

    def __init__(self, processor: SpanProcessor) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON

        from replicator.telemetry.trace_ids import ChosenIds

        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before this name.
        resource = Resource({"service.name": "replicator"}).merge(Resource.create())
        self._ids = ChosenIds()
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, id_generator=self._ids
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("replicator")
        self._items: dict[tuple[str, int], _Item] = {}

    def hear(self, event: Event, /) -> None:
        """Take notice of an event, in the task that it is about."""
        match event:
            case events.ItemStarted():
                self._start_item(event)
            case events.ItemFinished():
                self._end_item(event)
            case events.TagStarted():
                self._start_tag(event)
            case events.TagFinished():
                self._end_tag(event)
            case events.RequestFinished():
                self._request(event)
            case events.RunFinished():
                self._run(event)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    def _start_item(self, event: events.ItemStarted) -> None:
        from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

        trace, span = _identifiers(event.run)
        flags = TraceFlags(TraceFlags.SAMPLED)
        run = NonRecordingSpan(SpanContext(trace, span, is_remote=True, trace_flags=flags))
        about = {"replicator.rule": event.rule, "replicator.run": event.run}
        about |= {"replicator.item": str(event.item), "replicator.attempt": str(event.attempt)}
        item = _Item(self._start(f"item {event.kind}", run, about), {})
        self._items[event.run, event.item] = item
        _current.set((item, item.span))

    def _end_item(self, event: events.ItemFinished) -> None:
        item = self._items.pop((event.run, event.item), None)
        if item is not None:
            # Those that were broken off with it.
            for tag in item.tags.values():
                _end(tag, event.error or "broken off")
            _end(item.span, event.error)

    def _start_tag(self, event: events.TagStarted) -> None:
        current = _current.get()
        if current is None:
            return
        item, _ = current
        about = {
            "replicator.source": event.source,
            "replicator.destination": f"{event.destination}:{event.tag}",
        }
        tag = self._start("copy tag", item.span, about)
        item.tags[event.destination, event.tag] = tag
        _current.set((item, tag))

    def _end_tag(self, event: events.TagFinished) -> None:
        current = _current.get()
        if current is None:
            return
        tag = current[0].tags.pop((event.destination, event.tag), None)
        if tag is not None:
            _end(tag, event.error)

    def _request(self, event: events.RequestFinished) -> None:
        from opentelemetry.trace import SpanKind, set_span_in_context

        current = _current.get()
        if current is None:
            return
        # Named as OpenTelemetry's conventions name them; no address is among them, which could
        # have a signature in its query.
        about: dict[str, str | int] = {
            "http.request.method": event.method,
            "server.address": event.registry,
        }
        if event.status is not None:
            about["http.response.status_code"] = event.status
        if event.status is None or event.status >= 400:
            about["error.type"] = "no_answer" if event.status is None else str(event.status)
        now = time.time_ns()
        span = self._tracer.start_span(
            event.kind.value,
            set_span_in_context(current[1]),
            kind=SpanKind.CLIENT,
            attributes=about,
            start_time=now - int(event.seconds * 1e9),
        )
        _end(span, "no answer" if event.status is None else None, at=now)

    def _run(self, event: events.RunFinished) -> None:
        """Make the span of the run itself, now that it is over."""
        self._ids.chosen = _identifiers(event.run)
        span = self._tracer.start_span(
            f"run {event.rule}",
            attributes={"replicator.run": event.run, "replicator.state": event.state},
            start_time=_nanoseconds(event.started_at),
        )
        failed = event.state in ("failed", "partial")
        _end(span, event.state if failed else None, at=_nanoseconds(event.finished_at))

    def _start(self, name: str, parent: Span, about: Mapping[str, str]) -> Span:
        from opentelemetry.trace import set_span_in_context

        return self._tracer.start_span(name, set_span_in_context(parent), attributes=about)


def _end(span: Span, error: str | None, *, at: int | None = None) -> None:
    from opentelemetry.trace import Status, StatusCode

    if error is not None:
        span.set_status(Status(StatusCode.ERROR, error))
    span.end(at)


def _identifiers(run: str) -> tuple[int, int]:
    """Return those of a run's trace and of its own span; never zero, which would mean none."""
    digest = sha256(run.encode()).digest()
    return int.from_bytes(digest[:16]) or 1, int.from_bytes(digest[16:24]) or 1


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1e9)
