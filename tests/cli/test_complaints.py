"""What is said of a run that could not begin."""

from __future__ import annotations

from datetime import UTC, datetime

from replicator.cli.reports import complain_of
from replicator.service.records.report import RunReport
from replicator.store.records import RunState

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


def test_the_rule_of_a_run_is_named_once(capsys):
    error = "rule 'big' already has a run under way: 20260314-115900-aaaaaaaa"

    complain_of(RunReport("big", RunState.FAILED, NOON, NOON, error=error), ())

    said = capsys.readouterr().err
    assert said == "replicate: big: already has a run under way: 20260314-115900-aaaaaaaa\n"
