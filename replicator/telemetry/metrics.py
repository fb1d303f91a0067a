"""Every metric, declared in one place; they hear of events, and of how things stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from replicator.events import BlobFinished, BlobOutcome, Event, RequestFinished, RequestRetried
from replicator.values import dataclass

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_KINDS: Final = {
    BlobOutcome.COPIED: "moved",
    BlobOutcome.MOUNTED: "mounted",
    BlobOutcome.PRESENT: "skipped",
}
_TOO_MANY_REQUESTS: Final = 429


@dataclass(frozen=True, slots=True)
class Gauges:
    """How things stand; all times in seconds. *lag*, *next_due*, *objectives* and *budgets*, from
    1 down to 0, are by rule."""

    waiting: int
    under_way: int
    items_waiting: int
    items_under_way: int
    queue_age: float
    lag: Mapping[str, float]
    next_due: Mapping[str, float]
    failing_tags: int
    failing_for: float
    objectives: Mapping[str, float]
    budgets: Mapping[str, float]


class Metrics:
    """Counts what happens in this process, and shows it in Prometheus' text format."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._runs = self._counter("runs", "Runs that ended.", "state")
        self._tags = self._counter("tags", "Tags of runs that ended.", "outcome")
        self._bytes = self._counter(
            "bytes", "Bytes of blobs that are at their destination.", "registry", "kind"
        )
        self._requests = self._counter(
            "requests", "Requests that went over the wire.", "registry", "kind", "status"
        )
        self._throttled = self._counter("throttled", "Answers 429.", "registry")
        self._retries = self._counter("retries", "Requests that were repeated.", "registry", "kind")
        self._gauges: Gauges | None = None
        self._registry.register(self)

    def hear(self, event: Event, /) -> None:
        """Count an event."""
        match event:
            case RequestFinished():
                status = "none" if event.status is None else str(event.status)
                self._requests.labels(event.registry, event.kind.value, status).inc()
                if event.status == _TOO_MANY_REQUESTS:
                    self._throttled.labels(event.registry).inc()
            case RequestRetried():
                self._retries.labels(event.registry, event.kind.value).inc()
            case BlobFinished():
                bytes_ = self._bytes.labels(event.destination.registry, _KINDS[event.outcome])
                bytes_.inc(event.size)

    def count_run(self, state: str, tags: Mapping[str, int]) -> None:
        """Count a run that ended, and its tags by what became of them."""
        self._runs.labels(state).inc()
        for outcome, number in tags.items():
            self._tags.labels(outcome).inc(number)

    def throttled(self) -> dict[str, int]:
        """Return how many requests each registry has turned away since this process began."""
        (family,) = self._throttled.collect()
        return {
            each.labels["registry"]: int(each.value)
            for each in family.samples
            if each.name.endswith("_total")
        }

    def show(self, gauges: Gauges | None) -> bytes:
        """Return all metrics as text, and *gauges* with them where they are known."""
        self._gauges = gauges
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Give what *gauges* say, and only that: a rule that is gone leaves nothing behind."""
        if self._gauges is None:
            return
        now = self._gauges
        yield _gauge("runs_waiting", "Runs that wait for a service.", now.waiting)
        yield _gauge("runs_under_way", "Runs under way.", now.under_way)
        yield _gauge("items_waiting", "Items of runs that wait for a worker.", now.items_waiting)
        yield _gauge("items_under_way", "Items of runs under way.", now.items_under_way)
        yield _gauge("queue_age_seconds", "How long the oldest item has waited.", now.queue_age)
        yield _gauge("failing_tags", "Tags whose last try failed.", now.failing_tags)
        yield _gauge(
            "failing_for_seconds", "How long the oldest of them has failed.", now.failing_for
        )
        yield _by_rule(
            "rule_lag_seconds",
            "Since the start of the last run that left nothing undone, or else of the first run.",
            now.lag,
        )
        yield _by_rule(
            "rule_objective_seconds", "The lag that the rule allows, if it does.", now.objectives
        )
        yield _by_rule(
            "rule_error_budget_left_ratio",
            "The part that is left of the time for which the rule may be behind its objective.",
            now.budgets,
        )
        yield _by_rule("rule_next_due_seconds", "Until the rule comes due by itself.", now.next_due)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"replicator_{name}", about, labels, registry=self._registry)


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"replicator_{name}", about, value=value)


def _by_rule(name: str, about: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"replicator_{name}", about, labels=["rule"])
    for rule, value in sorted(values.items()):
        family.add_metric([rule], value)
    return family
