"""The proxy of the environment, for registries that have none of their own."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from replicator.config import values

if TYPE_CHECKING:
    from replicator.registry.settings import RegistrySettings


def with_proxy(settings: RegistrySettings, environment: Mapping[str, str]) -> RegistrySettings:
    """Return *settings* with the proxy that the environment has for the registry, if it has one.

    Raises ConfigError when that is no proxy.
    """
    variable = "HTTP_PROXY" if settings.plain_http else "HTTPS_PROXY"
    proxy = _variable(environment, variable)
    if settings.proxy or not proxy or _is_reached_directly(settings, environment):
        return settings
    # Others take a proxy without a scheme for one of plain HTTP.
    url = proxy if "://" in proxy else f"http://{proxy}"
    return replace(settings, proxy=values.proxy(url, f"${variable}"))


def _is_reached_directly(settings: RegistrySettings, environment: Mapping[str, str]) -> bool:
    """Say whether $NO_PROXY names the registry. What is on this machine never needs a proxy."""
    host, port = _host_and_port(settings.endpoint or settings.name)
    if host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback):
        return True
    return any(
        _names(each.strip().lower(), host, port)
        for each in _variable(environment, "NO_PROXY").split(",")
        if each.strip()
    )


def _names(entry: str, host: str, port: str) -> bool:
    """Say whether an entry of $NO_PROXY is about a host, as most programs read it.

    ``example.com`` is also about the hosts below it, ``.example.com`` about those alone;
    ``10.0.0.0/8`` is about addresses, and a port has to be that of the registry.
    """
    if entry == "*":
        return True
    if _is_address(host):
        return _names_address(entry, host)
    name, colon, wanted = entry.partition(":")
    if colon and wanted != port:
        return False
    name = name.removeprefix("*")
    return (
        host.endswith(name) if name.startswith(".") else host == name or host.endswith(f".{name}")
    )


def _names_address(entry: str, host: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def _host_and_port(place: str) -> tuple[str, str]:
    """Take apart ``https://host:port/path``, of which the host alone has to be there."""
    authority = place.rpartition("://")[2].partition("/")[0].lower()
    if authority.startswith("["):
        host, _, rest = authority[1:].partition("]")
        return host, rest.removeprefix(":")
    host, _, port = authority.partition(":")
    return host, port or ("443" if not place.startswith("http://") else "80")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _variable(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.lower()) or ""
