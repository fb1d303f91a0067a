"""The configuration file that the chart writes is one that the program reads."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.config.load import load_config
from replicator.oidc.settings import Grant
from replicator.service.access.identity import Role
from replicator.service.rules.rulebook import check_rules
from tests.support.chart import VALUES, objects, of_kind


def written(values: Path, *settings: str) -> str:
    (config,) = (
        each
        for each in of_kind("ConfigMap", objects(values, *settings))
        if "config.toml" in each["data"]
    )
    return config["data"]["config.toml"]


def read(text: str, folder: Path):
    file = folder / "config.toml"
    file.write_text(text)
    return load_config(file, {})


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_the_program_reads_it(values, tmp_path):
    config = read(written(values), tmp_path)

    check_rules(config.rules)
    assert config.service.grace == timedelta(
        seconds=yaml.safe_load(values.read_text()).get("grace", 25)
    )


def test_it_says_what_the_values_say(tmp_path):
    config = read(written(VALUES["everything"]), tmp_path)
    hub, registry = config.registries["docker.io"], config.registries["registry.example.com"]
    (rule,) = config.rules

    assert config.service.concurrency == 16
    assert config.service.confirm_share == 0.05
    assert config.service.secret_key_file == Path("/etc/replicator-key/secret-key")
    assert config.service.oidc.client_secret.file == Path("/run/secrets/oidc/client-secret")
    assert config.service.oidc.grants[1] == Grant("payments", Role.OPERATOR, ("payments-*",))
    assert hub.credential.password_file == Path("/run/secrets/hub/password")
    assert hub.settings.mirrors == ("https://mirror.example.com",)
    assert registry.credential.username == "robot$mirror"
    assert registry.settings.max_concurrency == 16
    assert rule.name == "base-images"
    assert rule.tags.latest == 5
    assert rule.tags.regex == (r"^\d+\.\d+$",)


@settings(max_examples=8)
# YAML itself has no control characters.
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40))
def test_any_text_comes_through(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("config")
    values = folder / "values.yaml"
    own = {
        **yaml.safe_load(VALUES["cron"].read_text()),
        "config": {
            "registries": {"quay.io": {"credential": {"username": f"a{text}", "password_env": "P"}}}
        },
    }
    values.write_text(yaml.safe_dump(own))

    config = read(written(values), folder)

    assert config.registries["quay.io"].credential.username == f"a{text}"
