"""The names that bootstrap offers, which are loaded when somebody asks for them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from replicator import bootstrap


def names_for_the_type_checker():
    """Return what the block for the type checker imports, by the module that has it."""
    tree = ast.parse(Path(bootstrap.__file__).read_text())
    return {
        (each.module, name.name)
        for each in ast.walk(tree)
        if isinstance(each, ast.ImportFrom) and each.module.startswith("replicator.bootstrap")
        for name in each.names
    }


def test_the_type_checker_and_the_interpreter_know_the_same_names_in_the_same_modules():
    at_run_time = {
        (f"replicator.bootstrap.{module}", name)
        for module, names in bootstrap._MODULES.items()
        for name in names
    }

    assert at_run_time == names_for_the_type_checker()


@pytest.mark.parametrize("name", sorted(bootstrap._MODULE_OF))
def test_each_name_is_there(name):
    assert getattr(bootstrap, name).__name__ == name


def test_a_name_that_is_not_there_is_missed_as_anywhere():
    with pytest.raises(AttributeError, match="open_nothing"):
        bootstrap.open_nothing  # noqa: B018
