"""What is known of registries, and what is left of their limits on pulls."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import and_, bindparam, select, update

from replicator.store.operating_tables import pull_budget, registry_facts
from replicator.store.prepared.sources.source import Source, row_of
from replicator.store.tables import registry
from replicator.store.upsert import upsert_into


def sources(dialect: str) -> Mapping[str, Source]:
    """Return the statements about registries."""
    settings = select(registry.c.name, registry.c.settings).order_by(registry.c.name)
    columns = pull_budget.c
    this = and_(
        columns.registry == bindparam("at_registry"), columns.source == bindparam("of_source")
    )
    left = select(columns.remaining).where(this, columns.noted_at > bindparam("since"))
    return {
        "KEPT_SETTINGS": Source(settings),
        "ALL_FACTS": Source(select(registry_facts).order_by(registry_facts.c.registry)),
        "KEEP_FACTS": Source(upsert_into(dialect, registry_facts), row_of(registry_facts)),
        "ALL_PULLS": Source(select(pull_budget).order_by(columns.remaining.desc())),
        "PULLS_LEFT": Source(left.with_for_update()),
        "NOTE_PULLS": Source(upsert_into(dialect, pull_budget), row_of(pull_budget)),
        "TAKE_PULL": Source(
            update(pull_budget).where(this).values(remaining=columns.remaining - 1)
        ),
    }
