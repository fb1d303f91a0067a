"""How near an address is: what a stranger may make us connect to, and what not."""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, TypeAlias

from replicator.errors import ConfigError

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


class Nearness(enum.IntEnum):
    """From everybody's to ours alone. Whoever is near may name what is as near, or less so."""

    PUBLIC = 0
    PRIVATE = 1
    LOOPBACK = 2
    # Reached by configuration alone: cloud metadata, link-local, multicast, and the forms of
    # IPv6 that wrap an IPv4 address.
    SPECIAL = 3


_LOOPBACK: Final = ("127.0.0.0/8", "::1/128")
# Stand before the others: metadata services that hide in private and public networks.
_METADATA: Final = (
    "100.100.100.200/32",  # Alibaba Cloud
    "168.63.129.16/32",  # Azure
    "192.0.0.192/32",  # Oracle Cloud
    "fd00:ec2::/32",  # Amazon
    "fd20:ce::254/128",  # Google
)
_PRIVATE: Final = (
    "10.0.0.0/8",
    "100.64.0.0/10",  # carrier-grade NAT, RFC 6598
    "172.16.0.0/12",
    "192.168.0.0/16",
    "198.18.0.0/15",  # RFC 2544; local proxies answer with it for every name
    "fc00::/7",
)
_SPECIAL: Final = (
    "0.0.0.0/8",
    "169.254.0.0/16",  # link-local, and the metadata service of most clouds
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",  # 6to4 relays
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",
    "::/96",  # unspecified, and IPv4-compatible
    "::ffff:0:0/96",  # IPv4-mapped
    "64:ff9b::/96",  # NAT64
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",  # Teredo among others
    "2001:db8::/32",
    "2002::/16",  # 6to4
    "3fff::/20",
    "5f00::/16",
    "fe80::/10",  # link-local
    "fec0::/10",
    "ff00::/8",  # multicast
)


@lru_cache(maxsize=1024)
def nearness(address: str) -> Nearness:
    """Say how near *address* is; text that is no address is SPECIAL."""
    parsed = parse_address(address)
    if parsed is None:
        return Nearness.SPECIAL
    for networks, near in _table():
        if contains(networks, parsed):
            return near
    return Nearness.PUBLIC


def parse_address(text: str) -> Address | None:
    """Read an address as a socket reports it, with or without a zone."""
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read networks in CIDR form. Raises ConfigError."""
    try:
        return tuple(ipaddress.ip_network(text) for text in texts)
    except ValueError as error:
        raise ConfigError(f"allowed_networks: {error}; write it as 10.1.0.0/16") from None


def contains(networks: Iterable[Network], address: Address) -> bool:
    """Say whether one of *networks* holds *address*."""
    return any(address in network for network in networks)


@lru_cache(maxsize=1)
def _table() -> tuple[tuple[tuple[Network, ...], Nearness], ...]:
    return (
        (parse_networks(_LOOPBACK), Nearness.LOOPBACK),
        (parse_networks(_METADATA), Nearness.SPECIAL),
        (parse_networks(_PRIVATE), Nearness.PRIVATE),
        (parse_networks(_SPECIAL), Nearness.SPECIAL),
    )
