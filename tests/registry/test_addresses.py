from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import ConfigError
from replicator.registry.addresses import Nearness, nearness, parse_networks

PUBLIC = [
    "8.8.8.8",
    "93.184.216.34",
    "2606:2800:220:1:248:1893:25c8:1946",
    "172.15.0.1",
    "11.0.0.1",
]
PRIVATE = ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fd12::1"]
LOOPBACK = ["127.0.0.1", "127.255.255.254", "::1"]
SPECIAL = [
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
    "0.1.2.3",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:0:53aa:64c:0:0:80ff:fffe",
    "fe80::1",
    "fe80::1%eth0",
    "ff02::1",
    "localhost",
    "",
    "127.1",
]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        *((address, Nearness.PUBLIC) for address in PUBLIC),
        *((address, Nearness.PRIVATE) for address in PRIVATE),
        *((address, Nearness.LOOPBACK) for address in LOOPBACK),
        *((address, Nearness.SPECIAL) for address in SPECIAL),
    ],
)
def test_an_address_is_as_near_as_its_network(address, expected):
    assert nearness(address) is expected


@given(st.ip_addresses())
def test_an_address_that_python_calls_special_is_never_public(address):
    special = (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address in ipaddress.ip_network("fc00::/7")
        or address in ipaddress.ip_network("10.0.0.0/8")
    )
    wrapped = address.version == 6 and (address.ipv4_mapped or address.sixtofour or address.teredo)

    assert not ((special or wrapped) and nearness(str(address)) is Nearness.PUBLIC)


def test_networks_are_read():
    assert [
        str(network) for network in parse_networks(["10.1.0.0/16", "fd00::/8", "10.0.0.1"])
    ] == [
        "10.1.0.0/16",
        "fd00::/8",
        "10.0.0.1/32",
    ]


@pytest.mark.parametrize("text", ["10.1.0.1/16", "example.com", "", "10.0.0.0/33"])
def test_what_is_no_network_is_refused_with_the_form_to_write(text):
    with pytest.raises(ConfigError, match=r"allowed_networks: .*10\.1\.0\.0/16"):
        parse_networks([text])
