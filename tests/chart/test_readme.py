"""The chart's README is what its values say, and its schema knows each of them."""

from __future__ import annotations

import json
import runpy
import tomllib

import yaml

from tests.support.chart import CHART

WRITER = runpy.run_path(str(CHART.parent / "readme.py"))


def test_it_is_what_values_yaml_says():
    assert (CHART / "README.md").read_text() == WRITER["readme"](CHART), "run `make chart-readme`"


def test_the_schema_knows_each_value_and_no_other():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())

    # The program's own tables, of which values.yaml has none.
    assert schema["properties"]["config"].pop("properties").keys() == program_tables()
    del schema["properties"]["config"]["additionalProperties"]
    # Helm's own, for charts of which this is a part.
    assert schema["properties"].pop("global")
    assert list(differences(values, schema)) == []


def program_tables():
    with (CHART.parents[1] / "config.example.toml").open("rb") as example:
        return tomllib.load(example).keys()


def differences(values, schema, path=""):
    if not isinstance(values, dict) or schema.get("additionalProperties", True):
        return
    assert schema["additionalProperties"] is False
    known = schema["properties"]
    yield from (f"{path}{key}" for key in values.keys() ^ known.keys())
    for key, value in values.items():
        yield from differences(value, known[key], f"{path}{key}.")
