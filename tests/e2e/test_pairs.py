"""From each kind of registry, and from a layout, to each other: all kinds of content."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from replicator.embedded.directory import DirectoryStorage
from replicator.embedded.server import EmbeddedRegistry
from replicator.embedded.thread import in_thread
from tests.support import builders, skopeo, tools
from tests.support.address import Address
from tests.support.contents import contents
from tests.support.folders import data_folder
from tests.support.media_types import DOCKER
from tests.support.plain_layout import PlainLayout
from tests.support.plain_repository import PlainRepository

KINDS = ("distribution2", "distribution3", "crane_registry", "embedded", "layout")
MANY = [f"n-{number:03}" for number in range(300)]


@dataclass(frozen=True)
class Place:
    """Where repositories are: a registry at *address*, or folders below *folder*."""

    kind: str
    address: Address | None = None
    folder: Path | None = None

    def open(self, path: str) -> PlainRepository | PlainLayout:
        if self.address is not None:
            return PlainRepository(self.address, path)
        assert self.folder is not None
        return PlainLayout(self.folder / path)

    def name(self, path: str) -> str:
        """The repository as references and rules have it."""
        if self.address is not None:
            return f"{self.address.host}/{path}"
        return f"oci:{self.folder}/{path}"


class Stock:
    """A source with all kinds of content, and what each tag stands for."""

    def __init__(self, place: Place) -> None:
        self.place = place
        with place.open("stock/kinds") as repository:
            self.kinds = dict(push_kinds(repository))
        with place.open("stock/many") as repository:
            self.many = push_many(repository)

    @cached_property
    def contents(self) -> dict[str, frozenset[str]]:
        with self.place.open("stock/kinds") as repository:
            return {tag: contents(repository, tag) for tag in self.kinds}


def push_kinds(repository) -> Iterator[tuple[str, str]]:
    """Push one of each kind; yields tags and digests."""
    push: dict[str, Callable[..., builders.Pushed]] = {
        "image": builders.push_image,
        "index": builders.push_index,
        "nested": builders.push_nested_index,
        "artifact": builders.push_artifact,
        "chart": builders.push_chart,
        "zero": builders.push_image_with_empty_layer,
        "large": builders.push_large_image,
    }
    for tag, kind in push.items():
        yield tag, kind(repository, tag).digest
    yield "docker", builders.push_index(repository, "docker", seed="docker", flavour=DOCKER).digest
    signed = builders.push_image(repository, "signed", seed="signed")
    builders.push_artifact(repository, seed="report", subject=signed)
    builders.push_signature(repository, signed)
    yield "signed", signed.digest


def push_many(repository) -> dict[str, str]:
    if isinstance(repository, PlainRepository):
        return {tag: each.digest for tag, each in builders.push_many_tags(repository, MANY).items()}
    layer = builders.push_layer(repository, "many")
    return {
        tag: builders.push_image_of(repository, tag, layers=[layer], label=tag).digest
        for tag in MANY
    }


@pytest.fixture(scope="session")
def embedded() -> Iterator[Address]:
    with data_folder() as folder:
        storage = DirectoryStorage(folder)
        with in_thread(EmbeddedRegistry(storage)) as registry:
            yield Address(registry.host)


@pytest.fixture(scope="session")
def places(request) -> Callable[[str], Place]:
    def find(kind: str) -> Place:
        if kind == "embedded":
            return Place(kind, request.getfixturevalue(kind))
        return Place(kind, request.getfixturevalue(kind).address)

    return find


@pytest.fixture(scope="session")
def stocks(places) -> Iterator[Callable[[str], Stock]]:
    """Fills each kind of source when it is first asked for."""
    made: dict[str, Stock] = {}
    with data_folder() as folder:

        def find(kind: str) -> Stock:
            if kind not in made:
                place = Place(kind, folder=folder) if kind == "layout" else places(kind)
                made[kind] = Stock(place)
            return made[kind]

        yield find


@pytest.mark.parametrize("destination_kind", KINDS)
@pytest.mark.parametrize("source_kind", KINDS)
async def test_everything_arrives_whole(
    replicate, stocks, places, repository_path, source_kind, destination_kind
):
    stock = stocks(source_kind)
    with data_folder() as folder:
        if destination_kind == "layout":
            destination = Place("layout", folder=folder)
        else:
            destination = places(destination_kind)
        replicate.write_config(f"""
[[rules]]
name = "kinds"
source = "{stock.place.name("stock/kinds")}"
destinations = ["{destination.name(repository_path)}/kinds"]

[[rules]]
name = "many"
source = "{stock.place.name("stock/many")}"
destinations = ["{destination.name(repository_path)}/many"]
""")

        done = await replicate("run", "--report", "-")
        again = await replicate("run", "--report", "-")

        assert done.code == again.code == 0, done.err + again.err
        assert [run["counts"]["copied"] for run in done.json["runs"]] == [len(stock.kinds), 300]
        assert [run["blobs"]["moved"] for run in again.json["runs"]] == [0, 0]
        check_kinds(stock, destination, f"{repository_path}/kinds")
        check_many(stock, destination, f"{repository_path}/many")


def check_kinds(stock: Stock, destination: Place, path: str) -> None:
    with destination.open(path) as repository:
        for tag, digest in stock.kinds.items():
            assert repository.digest(tag) == digest
        signed = stock.kinds["signed"]
        assert len(repository.referrers(signed)) == 1
        assert f"{signed.replace(':', '-')}.sig" in repository.tags()
    for tag in stock.kinds:
        read_back(destination, path, tag, stock.contents[tag])


def check_many(stock: Stock, destination: Place, path: str) -> None:
    with destination.open(path) as repository:
        assert {tag: repository.digest(tag) for tag in repository.tags()} == stock.many


def read_back(place: Place, path: str, tag: str, expected: frozenset[str]) -> None:
    """Let skopeo pull a tag with all it names."""
    if place.address is not None:
        assert skopeo.read_back(place.address, path, tag) == expected
        return
    with place.open(path) as layout:
        assert contents(layout, tag) == expected
    if tag in ("nested", "docker"):
        return  # in a layout skopeo knows no index in an index, and no types of Docker's
    with data_folder() as folder:
        subprocess.run(
            [
                *(tools.installed("skopeo"), "--insecure-policy", "copy", "--quiet", "--all"),
                *("--preserve-digests", f"oci:{place.folder}/{path}:{tag}", f"dir:{folder}/copy"),
            ],
            check=True,
            capture_output=True,
        )
