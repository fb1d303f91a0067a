"""Platforms match as users mean them."""

from __future__ import annotations

import pytest

from replicator.errors import InvalidValue
from replicator.oci.platform import Platform


@pytest.mark.parametrize("text", ["linux/amd64", "linux/arm/v7", "windows/amd64"])
def test_parsing_is_the_inverse_of_printing(text):
    assert str(Platform.parse(text)) == text


@pytest.mark.parametrize("text", ["", "linux", "linux/", "/amd64", "linux/arm/v7/x", "linux/a\nb"])
def test_what_is_no_platform_is_refused(text):
    with pytest.raises(InvalidValue, match="os/architecture"):
        Platform.parse(text)


@pytest.mark.parametrize(
    ("wanted", "offered", "matches"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/amd64", "linux/arm64", False),
        ("linux/amd64", "windows/amd64", False),
        ("linux/arm", "linux/arm/v7", True),
        ("linux/arm/v7", "linux/arm/v6", False),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm64/v8", "linux/arm64", True),
    ],
)
def test_a_wanted_platform_matches_what_it_means(wanted, offered, matches):
    assert Platform.parse(wanted).matches(Platform.parse(offered)) is matches
