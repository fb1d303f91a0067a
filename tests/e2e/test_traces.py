"""A service sends traces to a collector that its environment names."""

from __future__ import annotations

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.e2e.test_serve import Log, config
from tests.notify.receivers import http_receiver
from tests.support.embedded import store_image


async def test_a_run_arrives_as_one_trace_at_the_collector(replicate, start_registry):
    source, destination = await start_registry(), await start_registry()
    store_image(source.storage, "team/app", "1.0")
    replicate.write_config(config(source, destination, "every 1s"))
    async with http_receiver() as collector:
        replicate.variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
        replicate.variables["OTEL_BSP_SCHEDULE_DELAY"] = "100"
        async with replicate.started("serve", "--listen", "127.0.0.1:0") as process:
            log = Log(process)
            ended = await log.until("run ended")
            process.terminate()
            await log.until("stopped")

    spans = []
    for received in collector.received:
        assert received.path == "/v1/traces"
        request = ExportTraceServiceRequest.FromString(received.body)
        spans += [
            span
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
    (run,) = (
        span
        for span in spans
        if span.name == "run app" and _attribute(span, "replicator.run") == ended["run"]
    )
    names = {span.name for span in spans if span.trace_id == run.trace_id}
    assert {"copy tag", "manifest_put", "blob_get"} <= names
    assert run.parent_span_id == b""


def _attribute(span, key):
    return next((each.value.string_value for each in span.attributes if each.key == key), None)
