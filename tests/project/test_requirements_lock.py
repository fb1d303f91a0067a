"""The lock file installs what pyproject.toml asks for, and names no place to get it from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[2]
DECLARED = tomllib.loads((PROJECT / "pyproject.toml").read_text())
LOCK = (PROJECT / "requirements.lock").read_text()
ENTRIES = re.findall(r"^([\w.-]+)==(\S+)((?:.*\\\n)(?: +--hash=.*\n)+)", LOCK, re.MULTILINE)


def asked_for() -> list[str]:
    project = DECLARED["project"]
    return [
        *project["dependencies"],
        *project["optional-dependencies"]["dev"],
        *DECLARED["build-system"]["requires"],
    ]


@pytest.mark.parametrize("requirement", [*map(Requirement, asked_for())], ids=str)
def test_each_requirement_is_locked_at_a_version_that_satisfies_it(requirement):
    locked = {name: version for name, version, _ in ENTRIES}

    assert locked[canonicalize_name(requirement.name)] in requirement.specifier


def test_every_entry_has_hashes():
    named = re.findall(r"^[\w.-]+==", LOCK, re.MULTILINE)

    assert len(named) == len(ENTRIES) > 0


def test_no_index_is_named():
    assert not re.search(r"^-|://", LOCK, re.MULTILINE)
