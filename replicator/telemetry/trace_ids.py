"""Identifiers of spans: random, but for the span of a run, whose trace others joined before it."""

from __future__ import annotations

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator


class ChosenIds(RandomIdGenerator):
    """Gives the next span without a parent the trace and span that were *chosen*."""

    chosen: tuple[int, int] | None = None

    def generate_trace_id(self) -> int:
        return self.chosen[0] if self.chosen else super().generate_trace_id()

    def generate_span_id(self) -> int:
        # Asked after the trace, so this is the last use.
        chosen, self.chosen = self.chosen, None
        return chosen[1] if chosen else super().generate_span_id()
