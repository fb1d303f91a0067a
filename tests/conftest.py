"""The registries that tests run against, each started when the first test asks for it.

They live for the session of one process, so each worker of pytest-xdist has its own. Tests do
not meet because each uses repositories of its own; see `repository_path`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.address import Credentials
from tests.support.certificates import Authority
from tests.support.servers import Server, crane, distribution
from tests.support.token_server import TokenServer, token_server

pytest_plugins = ["tests.support.databases"]

_ALICE = Credentials("alice", "wonderland")

# A busy machine is no failure. What CI finds, it finds again: a chance finding there would
# stop a change that has nothing to do with it.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture
def repository_path(request: pytest.FixtureRequest) -> str:
    """A repository path of this test's own, below the name of the user that may push."""
    readable = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:60].strip("-")
    unique = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:8]
    return f"{_ALICE.username}/{readable}-{unique}"


@pytest.fixture(params=["distribution2", "distribution3", "crane_registry"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each kind of open registry in turn."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def distribution2() -> Iterator[Server]:
    with distribution(2) as server:
        yield server


@pytest.fixture(scope="session")
def distribution3() -> Iterator[Server]:
    with distribution(3) as server:
        yield server


@pytest.fixture(scope="session")
def crane_registry() -> Iterator[Server]:
    with crane() as server:
        yield server


@pytest.fixture(scope="session")
def htpasswd_registry() -> Iterator[Server]:
    """A registry that asks for a name and a password."""
    with distribution(2, credentials=_ALICE) as server:
        yield server


@pytest.fixture(scope="session")
def tokens() -> Iterator[TokenServer]:
    """The server that gives out the tokens of `token_registry`."""
    with token_server(_ALICE) as server:
        yield server


@pytest.fixture(scope="session")
def token_registry(tokens: TokenServer) -> Iterator[Server]:
    """A registry that asks for a token, which its user gets for repositories below its name."""
    with distribution(3, tokens=tokens) as server:
        yield server


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority that nobody trusts by default."""
    folder: Path = tmp_path_factory.mktemp("authority")
    return Authority(folder)


@pytest.fixture(scope="session")
def tls_registry(authority: Authority) -> Iterator[Server]:
    with distribution(3, authority=authority) as server:
        yield server


@pytest.fixture(scope="session")
def pull_through(distribution2: Server) -> Iterator[Server]:
    """A proxy that reads from `distribution2` what it does not have yet."""
    with distribution(3, upstream=distribution2) as server:
        yield server
