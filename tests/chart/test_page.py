"""docs/kubernetes.md: every YAML in it is one that the chart takes and Kubernetes knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.chart import CHART, VALUES, helm, validate

PAGE = CHART.parents[1] / "docs" / "kubernetes.md"
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
# The first is complete, and what names no image is an addition to it.
FIRST, *_ = BLOCKS


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split(":")[0])
def test_the_chart_takes_what_the_page_says(block, tmp_path):
    blocks = [block] if "image:" in block else [FIRST, block]
    files = [tmp_path / f"{number}.yaml" for number in range(len(blocks))]
    for file, text in zip(files, blocks, strict=True):
        file.write_text(text)

    rendered = helm("template", "r", CHART, *(part for file in files for part in ("-f", file)))

    validate(rendered, "1.37", tmp_path)


def test_every_value_that_the_page_names_is_there():
    named = set(re.findall(r"`([a-z]\w*\.[a-z]\w*)`", PAGE.read_text()))
    known = set(re.findall(r"^\| `([\w.]+)`", (CHART / "README.md").read_text(), re.MULTILINE))

    files = {name for name in named if Path(name).suffix in (".yaml", ".json", ".lock", ".toml")}
    assert named - files
    assert {name for name in named - files if not any(k.startswith(name) for k in known)} == set()


def test_there_is_a_set_of_values_for_each_mode():
    modes = {
        text
        for file in VALUES.values()
        for text in re.findall(r"^mode: (\w+)", file.read_text(), re.M)
    }

    assert modes | {"roles"} == set(re.findall(r"^\| `(\w+)`", PAGE.read_text(), re.MULTILINE))
