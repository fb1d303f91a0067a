"""Writes a chart's README.md from its values.yaml: values, defaults, and the comments above."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

_KEY = re.compile(r"( *)([A-Za-z]\w*):(?: +(.+))?")
_INTRODUCTION = """\
<!-- Written by `make chart-readme` from values.yaml; change that. -->

# Helm chart {name}

{description}. `docs/kubernetes.md` says how to install it, step by
step; `ci/` has a file of values for each way in which it can run.

| | |
| --- | --- |
| chart | {version} |
| program | {appVersion} |
| Kubernetes | {kubeVersion} |

Nothing is rendered without the existing Secrets that it needs, and no Secret is ever made by it.

## Values

| value | default | what it is |
| --- | --- | --- |
"""


def readme(folder: Path) -> str:
    """Return the text for the chart in *folder*."""
    chart = yaml.safe_load((folder / "Chart.yaml").read_text())
    rows = map(" | ".join, _rows((folder / "values.yaml").read_text()))
    return _INTRODUCTION.format(**chart) + "".join(f"| {row} |\n" for row in rows)


def _rows(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield path, default and description of each value, and of tables that are described."""
    about: list[str] = []
    path: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            about.append(line.strip().removeprefix("#").strip())
            continue
        if found := _KEY.fullmatch(line):
            indent, key, default = found.groups()
            path = [*path[: len(indent) // 2], key]
            if default or about:
                yield f"`{'.'.join(path)}`", f"`{default}`" if default else "", " ".join(about)
        # An empty line ends a comment, too: that one was about the file.
        about = []


if __name__ == "__main__":
    chart_folder = Path(sys.argv[1])
    (chart_folder / "README.md").write_text(readme(chart_folder))
