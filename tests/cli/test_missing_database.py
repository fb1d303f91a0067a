"""What commands that need a database say where there is none, or one without tables."""

from __future__ import annotations

import pytest

from tests.support.databases import postgres_server

__all__ = ["postgres_server"]


@pytest.mark.parametrize(
    "command", [("status",), ("explain", "example.com/app:1"), ("run", "--detach")], ids=" ".join
)
async def test_a_database_without_tables_on_a_server_is_told_what_makes_them(
    replicate, postgres_server, command
):
    url = postgres_server.url(postgres_server.create_database())

    before = await replicate("--database", url, *command)
    upgraded = await replicate("--database", url, "db", "upgrade")
    after = await replicate("--database", url, *command)

    assert before.code == 2
    assert before.complaint.endswith(" has no tables yet; run `replicate db upgrade`")
    assert upgraded.code == 0
    assert "no tables" not in after.err


async def test_a_file_that_does_not_exist_yet_is_made_by_a_run(replicate):
    done = await replicate("status")

    assert done.code == 2
    assert done.complaint == "there is no database yet; `replicate run` makes it"
