"""Blocks of code in the documentation say what they are, and settings in them are right."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml

from replicator.config import load_config
from replicator.config.rule_file import read_rule_file
from replicator.planning.validation import check_rules
from tests.docs.pages import PAGES, ROOT, blocks

ALL = [block for page in PAGES for block in blocks(page)]
LANGUAGES = {"console", "sh", "toml", "yaml", "json", "text", "python"}
_RULE = """\
[[rules]]
name = "example"
source = "alpine"
destinations = ["registry.example.com/{name}"]
"""
_REGISTRY = '[registries."registry.example.com"]\n'
_FILES = ("ca.pem", "client.pem", "client.key")


def test_every_block_says_its_language():
    assert [str(block) for block in ALL if block.language not in LANGUAGES] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_stands_between_fences(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    # Four spaces after an empty line are code as well, which no test would find.
    assert re.findall(r"(?:^|\n)\n {4,}(?![-*\d ]).+", text) == []


@pytest.mark.parametrize("block", [b for b in ALL if b.language == "toml"], ids=str)
def test_settings_in_toml_are_taken(block, tmp_path):
    for name in _FILES:
        (tmp_path / name).touch()
    file = tmp_path / "config.toml"
    file.write_text(_completed(block.code))

    config = load_config(file, {})

    check_rules(config.rules)


@pytest.mark.parametrize("block", [b for b in ALL if b.language == "yaml"], ids=str)
def test_yaml_is_yaml(block, tmp_path):
    content = yaml.safe_load(block.code)

    if block.file.startswith("rules"):
        file = tmp_path / block.file
        file.write_text(block.code)
        check_rules(read_rule_file(file))
    assert content


def _completed(code: str) -> str:
    """Put what is only some keys below the table that they belong to."""
    if re.search(r"^\[", code, re.MULTILINE):
        return code
    keys = tomllib.loads(code)
    registry = {"mirrors", "kind", "create", "bandwidth", "credential", "ca_file", "proxy"}
    return (_REGISTRY if keys.keys() & registry else _RULE) + code
