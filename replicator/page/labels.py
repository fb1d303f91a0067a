"""Complaints about a form, with what people see of its fields."""

from __future__ import annotations

from collections.abc import Mapping

from replicator.errors import InvalidRequest, ReplicatorError


def labelled(error: ReplicatorError, labels: Mapping[str, str]) -> str:
    """Say what is wrong, and at which field if that is known; errors name it as the API does."""
    label = labels.get(error.field) if isinstance(error, InvalidRequest) else None
    return f"{label}: {error}" if label else str(error)
