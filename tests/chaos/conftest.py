"""A cluster on a PostgreSQL of its own, between Debian's registry and distribution 3."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from replicator.store import migrate
from tests.chaos.cluster import Cluster, running
from tests.chaos.content import Content
from tests.chaos.observer import Observer, watching
from tests.chaos.stage import Stage, wide_rule
from tests.support.postgres import Postgres, postgres
from tests.support.servers import Server

OpenStage = Callable[..., AbstractContextManager[Stage]]


@pytest.fixture(scope="session")
def own_postgres() -> Iterator[Postgres]:
    """A server that may be restarted, and keeps what was committed."""
    with postgres(keeps_commits=True) as server:
        yield server


@pytest.fixture(scope="session")
def open_stage(
    own_postgres: Postgres,
    distribution2: Server,
    distribution3: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> OpenStage:
    """Opens a cluster with content of its own, watches it, and judges it in the end."""
    source, destination = distribution2.address, distribution3.address

    @contextmanager
    def open_(name: str, *, more_rules: str = "", **options: Any) -> Iterator[Stage]:
        folder = tmp_path_factory.mktemp(name)
        content = Content(source, name)
        content.push_round()
        (folder / "config.toml").write_text(wide_rule(name, source, destination) + more_rules)
        url = own_postgres.url(own_postgres.create_database())
        asyncio.run(migrate.upgrade(url))
        stage = Stage(Cluster(folder, url, **options), content, destination)
        observer = Observer(destination, [(f"mirror/{path}", tag) for path, tag in content.moving])
        with watching(observer), running(stage.cluster):
            stage.come_right("at the start")
            yield stage
            findings = stage.come_right("at the end")
        print(f"\n{name}: {findings}")
        versions = sum(map(len, observer.seen.values()))
        print(
            f"{observer.looks} looks at tags that moved {versions} times, "
            f"{len(observer.torn)} torn, {len(observer.wrong(content.at()))} wrong"
        )
        assert observer.torn == []
        assert observer.wrong(content.at()) == []

    return open_
