"""Writes the pages of the reference anew; ``make docs-reference`` calls it."""

from __future__ import annotations

from pathlib import Path

from docs.generate import cli_page, configuration_page

DOCS = Path(__file__).parents[1]


def main() -> None:
    """Write both pages."""
    (DOCS / "cli.md").write_text(cli_page.page(), "utf-8")
    (DOCS / "configuration.md").write_text(configuration_page.page(), "utf-8")


if __name__ == "__main__":
    main()
