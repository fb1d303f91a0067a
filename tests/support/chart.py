"""The chart as Helm renders it, and as the validator of Kubernetes' own schemas reads it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.tools import built

CHART = Path(__file__).parents[2] / "charts" / "replicator"
# Each is a way in which people run it.
VALUES = {file.name.removesuffix("-values.yaml"): file for file in CHART.glob("ci/*-values.yaml")}
# Kinds that only exist where somebody's operator is installed, so Kubernetes has no schema of them.
FOREIGN_KINDS = {"HTTPRoute", "PrometheusRule", "ServiceMonitor"}

Object = Mapping[str, Any]


class RenderFailed(Exception):
    """Helm refused the values; the text is what it says."""


def helm(*arguments: str | Path) -> str:
    """Run Helm. Raises RenderFailed with what it wrote if it refuses."""
    done = subprocess.run([built("helm"), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RenderFailed(done.stdout + done.stderr)
    return done.stdout


@cache
def render(values: Path, *settings: str) -> str:
    """Render the chart with a file of values, and settings such as ``mode=all``."""
    sets = [part for setting in settings for part in ("--set-json", setting)]
    return helm("template", "r", CHART, "--namespace", "here", "--values", values, *sets)


def objects(values: Path, *settings: str) -> list[Any]:
    return [each for each in yaml.safe_load_all(render(values, *settings)) if each]


def of_kind(kind: str, rendered: Sequence[Object]) -> list[Any]:
    return [each for each in rendered if each["kind"] == kind]


def pods(rendered: Sequence[Object]) -> Iterator[tuple[str, Any]]:
    """Yield the Pods that would come of all this, each with its name."""
    for each in rendered:
        name, spec = f"{each['kind']} {each['metadata']['name']}", each.get("spec", {})
        match each["kind"]:
            case "Pod":
                yield name, each
            case "Deployment" | "Job":
                yield name, spec["template"]
            case "CronJob":
                yield name, spec["jobTemplate"]["spec"]["template"]


def validate(text: str, version: str, folder: Path) -> None:
    """Hold objects against the schemas of a version of Kubernetes, unknown fields included."""
    file = folder / "objects.yaml"
    own = [each for each in yaml.safe_load_all(text) if each and each["kind"] not in FOREIGN_KINDS]
    file.write_text(yaml.safe_dump_all(own))
    done = subprocess.run(
        [Path(sys.executable).with_name("kubernetes-validate"), "-k", version, "--strict", file],
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "Couldn't find schema" not in said, said
