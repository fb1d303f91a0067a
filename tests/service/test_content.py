"""Tags that a rule turns down for what they contain, read once and remembered."""

from __future__ import annotations

import pytest

from replicator.planning.content import Content, ContentFilter
from replicator.planning.rule import TagSelection

MIB = 1024**2
IMAGE = "application/vnd.oci.image.config.v1+json"
CONTENT = Content(
    frozenset({IMAGE}), {"org.example.team": "core"}, {"version": "1.2", "odd": "a\nb"}, 5 * MIB
)


@pytest.mark.parametrize(
    ("wanted", "refusal"),
    [
        ({}, ""),
        ({"labels": ("version=1.*",)}, ""),
        ({"labels": ("odd=a*b",)}, ""),
        ({"labels": ("version=1.*", "stage=*")}, "has no label stage"),
        ({"labels": ("version=2.*",)}, 'has label version="1.2", which is not "2.*"'),
        ({"annotations": ("org.example.team=core",)}, ""),
        ({"annotations": ("org.example.team=[a-b]*",)}, 'which is not "[a-b]*"'),
        ({"artifact_types": (IMAGE, "x/y")}, ""),
        ({"artifact_types": ("x/y",)}, f"is {IMAGE}, which is none of artifact_types"),
        ({"max_size": 5 * MIB}, ""),
        ({"max_size": 4 * MIB}, "has 5.0 MiB, more than max_size = 4.0 MiB"),
    ],
)
def test_each_condition_says_what_is_wrong(wanted, refusal):
    found = ContentFilter(TagSelection(**wanted)).refusal(CONTENT)

    assert refusal in found
    assert bool(refusal) == bool(found)
