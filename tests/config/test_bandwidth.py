"""The hours of a registry's bandwidth."""

from __future__ import annotations

from datetime import UTC, datetime

from replicator.config.load import load_config


def test_bandwidth_may_go_by_the_hour(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text("""
[registries."docker.io"]
bandwidth = [
    { hours = "Mon-Fri 08:00-18:00", timezone = "Europe/Berlin", limit = "10MiB/s" },
    { limit = "50MiB/s" },
]
""")

    (by_day, else_) = load_config(file, {}).registries["docker.io"].settings.bandwidth

    assert by_day.limit == 10 * 1024 * 1024
    assert by_day.applies(datetime(2026, 3, 13, 7, tzinfo=UTC))
    assert not by_day.applies(datetime(2026, 3, 13, 17, tzinfo=UTC))
    assert not by_day.applies(datetime(2026, 3, 14, 7, tzinfo=UTC))
    assert (else_.limit, else_.hours) == (50 * 1024 * 1024, None)
