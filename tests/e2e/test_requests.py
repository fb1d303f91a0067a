"""What copies cost, counted in the registries' own access logs."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.builders import push_image
from tests.support.plain_repository import PlainRepository


@pytest.fixture
def source(distribution2):
    return distribution2


@pytest.fixture
def destination(distribution3):
    return distribution3


@pytest.fixture
def push(source, repository_path):
    """Pushes an image of so many layers into a repository of this test."""

    def push(suffix, layers, tag="1"):
        with PlainRepository(source.address, f"{repository_path}/{suffix}") as repository:
            return push_image(repository, tag, seed=f"{repository_path}/{suffix}", layers=layers)

    return push


class Counted:
    """The requests that both sides got inside the block, by method and what they are about."""

    def __init__(self, *servers):
        self._servers = servers

    def __enter__(self):
        self._marks = [server.mark() for server in self._servers]
        return self

    def __exit__(self, *error):
        self.each = [
            Counter(map(about, server.requests(mark)))
            for server, mark in zip(self._servers, self._marks, strict=True)
        ]

    @property
    def total(self):
        return sum(each.total() for each in self.each)


def about(request):
    path = request.uri.partition("?")[0]
    kinds = ("manifests", "blobs/uploads", "blobs", "referrers", "tags/list")
    return f"{request.method} {next((kind for kind in kinds if f'/{kind}' in path), 'ping')}"


async def test_a_cold_image_costs_three_requests_a_blob_and_little_else(
    replicate, source, destination, repository_path, push
):
    costs = {}
    for layers in (2, 9):
        push(f"cold-{layers}", layers)
        path = f"{repository_path}/cold-{layers}"
        with Counted(source, destination) as counted:
            done = await replicate("copy", f"{source.host}/{path}:1", f"{destination.host}/{path}")
        assert done.code == 0, done.err
        costs[layers] = counted.total
        assert counted.each[0]["GET blobs"] == layers + 1
        assert counted.each[1]["POST blobs/uploads"] == layers + 1
        assert counted.each[1]["PUT blobs/uploads"] == layers + 1
        assert counted.each[1]["PUT manifests"] == 1

    assert costs[9] - costs[2] == 3 * (9 - 2)
    assert costs[2] <= 3 * 3 + 2 + 6  # three blobs, the manifest on both sides, and a constant


async def test_an_unchanged_tag_costs_one_head_at_the_source_while_the_ledger_is_fresh(
    replicate, source, destination, repository_path, push
):
    push("app", 3)
    replicate.write_config(rule("app", source, destination, repository_path))
    first = await replicate("run")

    with Counted(source, destination) as counted:
        again = await replicate("run")

    assert first.code == again.code == 0, first.err + again.err
    assert counted.each == [Counter({"HEAD manifests": 1}), Counter()]


async def test_a_second_rule_into_the_same_registry_mounts_each_blob_with_one_request(
    replicate, source, destination, repository_path, push
):
    push("app", 3)
    first = rule("app", source, destination, repository_path)
    second = rule("app", source, destination, repository_path, name="again", to="/elsewhere")
    replicate.write_config(first)
    await replicate("run")
    replicate.write_config(first + second)

    with Counted(source, destination) as counted:
        done = await replicate("run", "again", "--report", "-")

    (run,) = done.json["runs"]
    assert run["blobs"] == {"moved": 0, "mounted": 4, "skipped": 0}
    assert counted.each[0]["GET blobs"] == 0
    assert counted.each[1]["POST blobs/uploads"] == 4
    assert counted.each[1]["PUT blobs/uploads"] == 0


def rule(path, source, destination, repository_path, *, name="rule", to=""):
    return f"""
[[rules]]
name = "{name}"
source = "{source.host}/{repository_path}/{path}"
destinations = ["{destination.host}/{repository_path}{to}/{path}"]
tags = {{ include = ["1"] }}
"""
