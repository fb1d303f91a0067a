"""The document that describes the API: frozen, and complete."""

from __future__ import annotations

import json
import os
from pathlib import Path

from replicator.api.v1.app import openapi
from replicator.api.v1.rule_models import Definition, Repositories, Tags
from replicator.config.rules import REPOSITORIES, RULE, TAGS

FROZEN = Path(__file__).with_name("openapi.json")


def test_the_document_changes_only_on_purpose():
    """To renew it: RENEW=1 pytest tests/api/test_openapi.py, and read the difference."""
    written = json.dumps(openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if os.environ.get("RENEW"):
        FROZEN.write_text(written)

    assert json.loads(FROZEN.read_text()) == json.loads(written)


def test_rules_take_what_the_configuration_file_takes():
    assert set(Definition.model_fields) == set(RULE)
    assert set(Tags.model_fields) == set(TAGS)
    assert set(Repositories.model_fields) == set(REPOSITORIES)


def test_every_operation_has_a_name_and_words_and_says_how_it_fails():
    operations = [each for path in openapi()["paths"].values() for each in path.values()]

    assert len({each["operationId"] for each in operations}) == len(operations)
    for operation in operations:
        assert operation["description"]
        assert "application/problem+json" in operation["responses"]["default"]["content"]


def test_every_list_comes_in_pages():
    document = openapi()
    schemas, lists = document["components"]["schemas"], []
    for path in document["paths"].values():
        said = path.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        name = said.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
        if "items" in schemas.get(name, {}).get("properties", {}):
            lists.append((path["get"], schemas[name]))

    assert len(lists) >= 8
    for operation, schema in lists:
        assert {each["name"] for each in operation["parameters"]} >= {"cursor", "limit"}
        assert "next" in schema["required"]
