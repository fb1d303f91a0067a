"""Alerts and dashboard: read by Prometheus' own tool, and about metrics that are there."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml

from tests.support.chart import CHART, VALUES, objects, of_kind
from tests.support.command import CommandLine
from tests.support.tools import built

ALERTS = CHART / "files" / "alerts.yaml"
ALERT_TESTS = Path(__file__).with_name("alerts_test.yaml")
RULE = """
[[rules]]
name = "app"
source = "registry.invalid/app"
destinations = ["mirror.invalid/app"]
schedule = "0 3 1 1 *"
"""
DASHBOARD = CHART / "files" / "dashboard.json"


def promtool(*arguments, stdin=None):
    done = subprocess.run(
        [built("promtool"), *arguments], input=stdin, capture_output=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


@pytest.fixture
async def shown(tmp_path):
    """What a real service shows Prometheus."""
    replicate = CommandLine(tmp_path)
    replicate.write_config(RULE)
    async with replicate.started("serve", "--listen", "127.0.0.1:0") as service:
        while True:
            line = json.loads(await service.stderr.readline())
            if line["event"] == "serving":
                break
        return await asyncio.to_thread(get, f"http://{line['on']}/metrics")


def get(url):
    with urlopen(url) as answered:  # noqa: S310 - our own server
        return answered.read()


def test_the_metrics_are_named_and_written_as_prometheus_wants_them(shown):
    promtool("check", "metrics", stdin=shown)


def test_the_alerts_are_rules_that_prometheus_reads():
    promtool("check", "rules", ALERTS)


def test_the_alerts_come_when_they_should_and_at_no_other_time():
    promtool("test", "rules", ALERT_TESTS)


def test_every_alert_is_tried():
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    alerts = {each["alert"] for group in groups for each in group["rules"] if "alert" in each}
    tried = re.findall(r"alertname: (\w+)", ALERT_TESTS.read_text())

    assert alerts == set(tried)


def test_the_operator_gets_the_same_alerts():
    (rule,) = of_kind("PrometheusRule", objects(VALUES["everything"]))

    assert rule["spec"] == yaml.safe_load(ALERTS.read_text())


def test_grafana_gets_the_dashboard():
    (board,) = (
        each
        for each in of_kind("ConfigMap", objects(VALUES["everything"]))
        if "replicator.json" in each["data"]
    )

    assert json.loads(board["data"]["replicator.json"]) == json.loads(DASHBOARD.read_text())


@pytest.mark.parametrize("file", [ALERTS, DASHBOARD], ids=lambda file: file.name)
def test_whatever_is_asked_for_is_a_metric_of_the_service(file, shown):
    names = set(re.findall(r"^# TYPE (\S+)", shown.decode(), re.MULTILINE))
    asked = set(re.findall(r"\b(?:replicator|process)_[a-z_]+", file.read_text()))

    assert asked
    assert asked - names == set()
