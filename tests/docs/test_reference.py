"""The pages that are made from the program are as it is now, and the site builds."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.generate import cli_page, configuration_page
from tests.docs.pages import DOCS, ROOT


@pytest.mark.parametrize(
    ("name", "page"), [("cli.md", cli_page.page), ("configuration.md", configuration_page.page)]
)
def test_the_reference_is_current(name, page):
    assert (DOCS / name).read_text() == page(), "run `make docs-reference` and commit its pages"


def test_the_site_builds_without_a_warning(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", tmp_path],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert_nothing_comes_from_elsewhere(tmp_path)


def assert_nothing_comes_from_elsewhere(site: Path) -> None:
    """Links lead anywhere; what a page loads is its own."""
    loaded = re.compile(r'<(?:script|img|link rel="stylesheet")[^>]+(?:src|href)="(https?:[^"]+)"')
    for page in site.rglob("*.html"):
        assert loaded.findall(page.read_text()) == [], page
