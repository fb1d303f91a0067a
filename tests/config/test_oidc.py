"""The table [service.oidc]: what it means, and what is wrong with it."""

from __future__ import annotations

import pytest

from replicator.config import load_config
from replicator.errors import ConfigError
from replicator.oidc.settings import Grant
from replicator.service.access.identity import Role

GOOD = """\
[service.oidc]
issuer = "https://login.example.com/realms/acme"
client_id = "replicate"
client_secret_env = "SECRET"
url = "https://replicate.example.com/"
grants = [{ value = "payments", role = "operator", rules = ["pay-*"] }]
"""


def load(tmp_path, text):
    file = tmp_path / "config.toml"
    file.write_text(text)
    return load_config(file, {}).service.oidc


def test_a_provider_is_read(tmp_path):
    oidc = load(tmp_path, GOOD)

    assert oidc.issuer == "https://login.example.com/realms/acme"
    assert oidc.callback == "https://replicate.example.com/sign-in/callback"
    assert oidc.grants == (Grant("payments", Role.OPERATOR, ("pay-*",)),)
    assert oidc.client_secret.read({"SECRET": "s"}) == "s"


def test_without_the_table_there_is_no_provider(tmp_path):
    assert load(tmp_path, "[service]\n") is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("https://login.example.com/realms/acme", "http://login.example.com", "write https://"),
        ("https://login.example.com/realms/acme", "login.example.com", "expected https://HOST"),
        ("https://login.example.com/realms/acme", "https://a@b.example", "expected https://HOST"),
        ("https://login.example.com/realms/acme", "https://a.example/?x=1", "neither"),
        ("https://replicate.example.com/", "https://replicate.example.com/page", "at the root"),
        ("https://replicate.example.com/", "http://replicate.example.com", "write https://"),
        ('client_id = "replicate"', "", "client_id: is missing"),
        ("client_secret_env", "client_secret", "did you mean"),
        (
            'client_secret_env = "SECRET"',
            'client_secret_env="A"\nclient_secret_file="b"',
            "keep one",
        ),
        ('role = "operator"', 'role = "owner"', "expected one of"),
        ('role = "operator", ', "", "grants[1].role: is missing"),
        ('rules = ["pay-*"]', "rules = []", "no pattern matches no rule"),
        ('rules = ["pay-*"]', 'rules = ["["]', "rules"),
        ("grants = ", 'scopes = ["profile"]\ngrants = ', "openid"),
        ('{ value = "payments", role = "operator", rules = ["pay-*"] }', "", "nobody could do"),
        ("grants = ", 'origins = ["https://a.example/x"]\ngrants = ', "nothing behind it"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, old, new, said):
    assert old in GOOD

    with pytest.raises(ConfigError, match=r"service\.oidc") as refusal:
        load(tmp_path, GOOD.replace(old, new))

    assert said in str(refusal.value)


def test_a_provider_of_this_machine_needs_no_tls(tmp_path):
    local = GOOD.replace("https://login.example.com/realms/acme", "http://127.0.0.1:5556/dex")

    assert load(tmp_path, local).issuer == "http://127.0.0.1:5556/dex"
