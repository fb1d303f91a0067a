"""Metrics: what happened, by registry and kind, in the text that Prometheus reads."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from replicator.events import (
    BlobFinished,
    BlobOutcome,
    RequestFinished,
    RequestKind,
    RequestRetried,
)
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName
from replicator.telemetry.metrics import Gauges, Metrics

HUB = RepositoryName("hub.example.com", "team/app")
IDLE = Gauges(0, 0, 0, 0, 0.0, {}, {}, 0, 0.0, {}, {})


def samples(metrics, gauges=IDLE):
    families = text_string_to_metric_families(metrics.show(gauges).decode())
    return {
        (sample.name.removeprefix("replicator_"), *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_requests_are_counted_by_registry_kind_and_status():
    metrics = Metrics()
    for status in (200, 200, 429, None):
        metrics.hear(RequestFinished("hub", RequestKind.TAGS, status, 0.1, "GET"))
    metrics.hear(RequestRetried("hub", RequestKind.TAGS, "429", 1.0))

    found = samples(metrics)

    assert found["requests_total", "tags", "hub", "200"] == 2
    assert found["requests_total", "tags", "hub", "none"] == 1
    assert found["throttled_total", "hub"] == 1
    assert found["retries_total", "tags", "hub"] == 1


def test_bytes_are_counted_by_how_they_came_to_be_at_the_destination():
    metrics = Metrics()
    for size, outcome in enumerate(BlobOutcome, start=1):
        metrics.hear(BlobFinished(HUB, Digest.of(b"blob"), 10**size, outcome))

    found = samples(metrics)

    kinds = {kind: found["bytes_total", kind, HUB.registry] for kind in ("skipped", "mounted")}
    assert kinds == {"skipped": 10, "mounted": 100}
    assert found["bytes_total", "moved", HUB.registry] == 1000


def test_runs_and_their_tags_are_counted_when_they_end():
    metrics = Metrics()
    metrics.count_run("succeeded", {"copied": 3, "failed": 0})
    metrics.count_run("partial", {"copied": 1, "failed": 2})

    found = samples(metrics)

    assert (found["runs_total", "succeeded"], found["runs_total", "partial"]) == (1, 1)
    assert (found["tags_total", "copied"], found["tags_total", "failed"]) == (4, 2)


def test_a_rule_that_is_gone_leaves_nothing_behind():
    metrics = Metrics()
    lag, due, objective, left = ({"rule": value} for value in (60.0, 5.0, 1800.0, 0.25))
    gauges = Gauges(1, 2, 5, 6, 3.0, lag, due, 4, 6.0, objective, left)
    before = samples(metrics, gauges)

    after = samples(metrics)

    assert before["rule_lag_seconds", "rule"] == 60
    assert before["rule_next_due_seconds", "rule"] == 5
    assert before["rule_objective_seconds", "rule"] == 1800
    assert before["rule_error_budget_left_ratio", "rule"] == 0.25
    assert (before["runs_waiting",], before["runs_under_way",]) == (1, 2)
    assert (before["failing_tags",], before["failing_for_seconds",]) == (4, 6)
    assert not [key for key in after if key[-1] == "rule"]


def test_without_a_database_what_was_counted_is_shown_all_the_same():
    metrics = Metrics()
    metrics.count_run("failed", {})

    found = samples(metrics, None)

    assert found["runs_total", "failed"] == 1
    assert ("runs_waiting",) not in found


def test_the_memory_of_the_process_is_shown():
    assert samples(Metrics())["process_resident_memory_bytes",] > 1_000_000
