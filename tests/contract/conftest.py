"""Each registry in turn; and the table of what they did."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from replicator.registry.settings import Credentials
from tests.contract.fakes import FAKES, open_fake
from tests.contract.place import ALICE, Place
from tests.contract.stage import Stage
from tests.contract.table import insert, render
from tests.registry.clients import open_client
from tests.support.embedded import start_registry
from tests.support.pulp import pulp
from tests.support.servers import Server, cue

__all__ = ["open_client", "start_registry"]

PAGE = Path(__file__).parents[2] / "docs" / "registries.md"
# Real ones that every run has, by their fixtures.
REAL = {
    "distribution2": "distribution 2.8",
    "distribution3": "distribution 3.1",
    "htpasswd_registry": "distribution 2.8, password",
    "token_registry": "distribution 3.1, tokens",
    "crane_registry": "crane",
    "embedded": "embedded",
}
# Real ones that take long to build; `make test-servers` builds them.
LONG = {"cue_registry": "cue", "pulp_registry": "pulp"}

_results = pytest.StashKey[dict[str, dict[str, str]]]()


@pytest.fixture(scope="session")
def cue_registry() -> Iterator[Server]:
    with cue() as server:
        yield server


@pytest.fixture(scope="session")
def pulp_registry() -> Iterator[Server]:
    with pulp() as server:
        yield server


EVERY = [
    *REAL,
    *(pytest.param(kind, marks=pytest.mark.servers) for kind in LONG),
    *(f"{kind} (fake)" for kind in FAKES),
]


@pytest.fixture(params=EVERY)
async def place(request: pytest.FixtureRequest, start_registry) -> AsyncIterator[Place]:
    kind: str = request.param
    async with AsyncExitStack() as stack:
        if kind.endswith(" (fake)"):
            yield await open_fake(kind.removesuffix(" (fake)"), stack.enter_async_context)
        elif kind == "embedded":
            yield Place(kind, (await start_registry()).host)
        else:
            yield _real(kind, request)


def _real(kind: str, request: pytest.FixtureRequest) -> Place:
    address = request.getfixturevalue(kind).address
    login = address.credentials and Credentials(*address.credentials)
    name = (REAL | LONG)[kind]
    if kind != "token_registry":
        return Place(name, address.host, login=login, moves_tags=kind != "cue_registry")
    service = request.getfixturevalue("tokens").address.url
    return Place(
        name,
        address.host,
        login=login,
        closed="bob/closed",
        settings={"token_origins": (service,)},
    )


@pytest.fixture
async def stage(place: Place, repository_path, open_client, start_registry) -> Stage:
    assert repository_path.startswith(f"{ALICE.username}/")
    return Stage(
        place, repository_path, await start_registry(), await start_registry(), open_client
    )


@pytest.fixture
async def note(request: pytest.FixtureRequest, place: Place) -> Callable[[str], None]:
    """Notes what a registry did; a test that notes nothing has failed."""
    rows = request.config.stash.setdefault(_results, {})
    column = request.node.originalname.removeprefix("test_").replace("_", " ")
    row = rows.setdefault(place.name, {})
    row[column] = "**failed**"

    def noted(word: str) -> None:
        row[column] = word

    return noted


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--table", action="store_true", help="write the table into docs/registries.md")


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    if not config.getoption("--table"):
        return
    if not (rows := config.stash.get(_results, {})):
        return
    table = render(rows)
    terminalreporter.write_line(table)
    insert(PAGE, table, "contract")
