"""docs/errors.md has an entry for each kind of error, and for nothing else."""

from __future__ import annotations

import inspect
import re

from replicator import errors
from tests.docs.pages import DOCS

_ENTRY = re.compile(r"^### `(\w+)`\n\n(.+?)(?=\n\n#|\Z)", re.MULTILINE | re.DOTALL)
ENTRIES = _ENTRY.findall((DOCS / "errors.md").read_text())
# What the history says of a tag that was left alone on purpose; no error is raised for it.
NOT_RAISED = {"conflict"}


def kinds() -> set[str]:
    classes = [each for each in vars(errors).values() if inspect.isclass(each)]
    return {each.kind for each in classes if issubclass(each, errors.ReplicatorError)}


def test_each_kind_of_error_has_an_entry():
    assert {kind for kind, _ in ENTRIES} == kinds() | NOT_RAISED


def test_no_kind_has_two_entries():
    assert len({kind for kind, _ in ENTRIES}) == len(ENTRIES)


def test_each_entry_says_something():
    assert [kind for kind, text in ENTRIES if len(text) < 20] == []
