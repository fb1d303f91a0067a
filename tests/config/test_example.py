"""config.example.toml is the reference: complete, right, and what it says is what counts."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from replicator.config import Config, RegistryEntry, ServiceSettings, load_config
from replicator.config.load import service_table
from replicator.config.notify import notify_table
from replicator.config.oidc import oidc_table
from replicator.config.registries import TIMEOUTS, credential_table, registry_table
from replicator.config.rules import REPOSITORIES, RULE, TAGS
from replicator.errors import ConfigError
from replicator.oidc.settings import OidcSettings
from replicator.planning.rule import Origin, RepositorySelection, Rule, TagSelection
from replicator.planning.validation import check_rules
from replicator.registry.settings import CredentialSource, RegistrySettings, Timeouts, Tls

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
HERE = Path("folder")
SECTION = re.compile(r"\[+(.+?)\]+")
KEY = re.compile(r"(#?)([a-z_]+) = .+")

# Section of the file → the keys that are read there.
SECTIONS = {
    "service": service_table(HERE).keys,
    "service.oidc": oidc_table(HERE).keys,
    'registries."registry.example.com"': registry_table(HERE).keys,
    'registries."registry.example.com".credential': credential_table(HERE).keys,
    'registries."registry.example.com".timeouts': TIMEOUTS,
    "rules": RULE,
    "rules.repositories": REPOSITORIES,
    "rules.tags": TAGS,
    "notify": notify_table(HERE).keys,
}
# Keys that are tables of their own in the example.
TABLES = {"credential", "timeouts", "repositories", "tags", "oidc"}


def names_of(kind: type) -> set[str]:
    return {field.name for field in fields(kind)}


def lines_by_section() -> dict[str, dict[str, tuple[int, bool]]]:
    """Return for each section its keys, with their line and whether they are switched off."""
    found: dict[str, dict[str, tuple[int, bool]]] = {}
    keys: dict[str, tuple[int, bool]] = {}
    for number, line in enumerate(EXAMPLE.read_text().splitlines()):
        if section := SECTION.fullmatch(line):
            keys = found.setdefault(section[1], {})
        elif key := KEY.fullmatch(line):
            keys[key[2]] = (number, bool(key[1]))
    return found


def test_every_field_can_be_configured() -> None:
    registry = names_of(RegistrySettings) - {"name", "tls", "logins"} | names_of(Tls) - {"verify"}

    assert set(SECTIONS["service"]) == names_of(ServiceSettings)
    entry = names_of(RegistryEntry) - {"settings", "logins"}
    client = {"client_secret_file", "client_secret_env"}
    assert set(oidc_table(HERE).keys) == names_of(OidcSettings) - {"client_secret"} | client
    assert set(registry_table(HERE).keys) == registry | entry | {"insecure"}
    assert set(credential_table(HERE).keys) == names_of(CredentialSource)
    assert set(TIMEOUTS) == names_of(Timeouts)
    assert set(RULE) == names_of(Rule) - {"origin", "revision"}
    assert set(TAGS) == names_of(TagSelection)
    assert set(REPOSITORIES) == names_of(RepositorySelection)


def test_the_example_has_every_key_and_no_other() -> None:
    found = {section: set(keys) for section, keys in lines_by_section().items()}

    assert found == {section: set(keys) - TABLES for section, keys in SECTIONS.items()}


def test_what_the_example_switches_on_is_the_default() -> None:
    config = load_config(EXAMPLE, {})
    (rule,) = config.rules
    (entry,) = config.registries.values()
    oidc = config.service.oidc
    assert oidc is not None
    database = f"sqlite:///{EXAMPLE.parent}/replicator.db"

    assert config.service == replace(ServiceSettings(), database=database, oidc=oidc)
    assert oidc == OidcSettings(oidc.issuer, oidc.client_id, oidc.url, grants=oidc.grants)
    assert ServiceSettings().database == "sqlite:///replicator.db"
    assert entry.settings == RegistrySettings("registry.example.com")
    assert rule == Rule(rule.name, rule.source, rule.destinations, origin=Origin.FILE)


def test_the_rule_of_the_example_makes_sense() -> None:
    check_rules(load_config(EXAMPLE, {}).rules)


@pytest.mark.parametrize(
    "number",
    [number for keys in lines_by_section().values() for number, is_off in keys.values() if is_off],
)
def test_what_the_example_switches_off_can_be_switched_on(tmp_path: Path, number: int) -> None:
    lines = EXAMPLE.read_text().splitlines()
    lines[number] = lines[number].removeprefix("#")
    for name in ("ca.pem", "client.pem", "client.key"):
        (tmp_path / name).touch()
    file = tmp_path / "config.toml"
    file.write_text("\n".join(lines))

    if re.match(
        "password|identity|key_file|cloud|stored|url_|secret_env|username|sender|to =",
        lines[number],
    ):
        with pytest.raises(ConfigError, match=r"keep one of them|add cert_file|means nothing"):
            load_config(file, {})
    else:
        assert load_config(file, {}) != load_config(EXAMPLE, {})


def test_nothing_of_the_configuration_is_left_out_here() -> None:
    assert names_of(Config) == {"path", "service", "registries", "rules", "channels"}
    # Logins are entries of their own, for a path.
    entry = {"settings", "credential", "logins", "webhook_secret_file", "webhook_secret_env"}
    assert names_of(RegistryEntry) == entry
