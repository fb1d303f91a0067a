"""Which registries the proxy of the environment is for."""

from __future__ import annotations

import pytest

from replicator.config.proxies import with_proxy
from replicator.errors import ConfigError
from replicator.registry.settings import RegistrySettings

PROXY = "http://proxy.example.com:3128"


def proxy_of(name, no_proxy="", **settings):
    environment = {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy}
    return with_proxy(RegistrySettings(name, **settings), environment).proxy


def test_a_registry_without_a_proxy_of_its_own_gets_that_of_the_environment():
    assert proxy_of("quay.io") == PROXY
    assert proxy_of("quay.io", proxy="http://other:1") == "http://other:1"
    assert with_proxy(RegistrySettings("quay.io"), {}).proxy == ""


def test_plain_http_has_a_variable_of_its_own():
    plain = RegistrySettings("registry.example.com", plain_http=True)

    assert with_proxy(plain, {"HTTPS_PROXY": PROXY}).proxy == ""
    assert with_proxy(plain, {"http_proxy": PROXY}).proxy == PROXY


@pytest.mark.parametrize("name", ["localhost", "localhost:5000", "127.0.0.1:5000", "[::1]:5000"])
def test_what_is_on_this_machine_needs_no_proxy(name):
    assert proxy_of(name) == ""


@pytest.mark.parametrize(
    ("name", "no_proxy"),
    [
        ("registry.example.com", "example.com"),
        ("registry.example.com", "other.org, .example.com"),
        ("registry.example.com", "*.EXAMPLE.com"),
        ("example.com", "example.com"),
        ("registry.example.com:5000", "registry.example.com"),
        ("registry.example.com:5000", "registry.example.com:5000"),
        ("registry.example.com", "registry.example.com:443"),
        ("10.1.2.3:5000", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3"),
        ("[2001:db8::1]:5000", "2001:db8::/32"),
        ("quay.io", "*"),
    ],
)
def test_what_no_proxy_names_is_reached_directly(name, no_proxy):
    assert proxy_of(name, no_proxy) == ""


@pytest.mark.parametrize(
    ("name", "no_proxy"),
    [
        ("example.com", ".example.com"),
        ("myexample.com", "example.com"),
        ("registry.example.com:5000", "registry.example.com:443"),
        ("10.1.2.3", "192.168.0.0/16"),
        ("quay.io", "10.0.0.0/8,,svc"),
    ],
)
def test_others_are_not(name, no_proxy):
    assert proxy_of(name, no_proxy) == PROXY


def test_where_requests_really_go_counts():
    assert proxy_of("docker.io", "cache.example.com", endpoint="https://cache.example.com") == ""


def test_a_proxy_needs_no_scheme_and_has_to_be_one():
    settings = RegistrySettings("quay.io")

    assert with_proxy(settings, {"HTTPS_PROXY": "proxy:3128"}).proxy == "http://proxy:3128"
    with pytest.raises(ConfigError, match=r"^\$HTTPS_PROXY: expected a URL"):
        with_proxy(settings, {"HTTPS_PROXY": "ftp://secret@proxy"})
