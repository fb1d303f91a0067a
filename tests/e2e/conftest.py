"""The command line, and registries in the event loop of the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.table import insert
from tests.support.command import CommandLine
from tests.support.embedded import start_registry

__all__ = ["start_registry"]


@pytest.fixture
def replicate(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


PAGE = Path(__file__).parents[2] / "docs" / "registries.md"
_costs = pytest.StashKey[dict[str, tuple[int, int]]]()


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[str, int, int], None]:
    """Notes what a thousand unchanged tags cost at a registry, and how many it took to log in."""
    rows = request.config.stash.setdefault(_costs, {})

    def noted(registry: str, requests: int, logging_in: int) -> None:
        rows[registry] = requests, logging_in

    return noted


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    rows = config.stash.get(_costs, {})
    if not rows or not config.getoption("--table", default=False):
        return
    lines = ["| registry | requests | and to log in |", "| --- | --- | --- |"]
    lines += [f"| {name} | {asked:,} | {login} |" for name, (asked, login) in rows.items()]
    table = "\n".join(lines) + "\n"
    terminalreporter.write_line(table)
    insert(PAGE, table, "unchanged")
