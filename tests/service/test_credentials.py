"""Credentials that are kept: used by their registry alone, and sealed anew while all goes on."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from replicator.errors import ConfigError, CredentialNotFound, NameTaken
from replicator.registry.settings import Credentials
from replicator.service.access.credentials import CredentialDesk, StoredKeychain
from replicator.service.access.secret_key import read_keys
from replicator.store import credentials as store
from replicator.store.database import Database
from tests.service.test_sealing import NEW, OLD
from tests.store.values import NOON

ROBOT = Credentials("robot", "the password")


def desk(database: Database, *keys: str) -> CredentialDesk:
    kept = store.Credentials(database)
    return CredentialDesk(kept, read_keys(" ".join(keys), "test"), lambda: NOON)


async def test_a_credential_is_for_one_registry_alone(database: Database) -> None:
    kept = desk(database, OLD)
    await kept.put("harbor", "a.example", ROBOT)
    keychain = StoredKeychain(
        {
            "a.example": "harbor",
            "a.example/team": "harbor",
            "b.example": "harbor",
            "b.example/team": "harbor",
            "c.example": "none",
        },
        kept.reveal,
    )

    assert await keychain.credentials_for("a.example") == ROBOT
    assert await keychain.credentials_for("a.example/team") == ROBOT
    assert await keychain.credentials_for("d.example") is None
    for name in ("b.example", "b.example/team"):
        with pytest.raises(ConfigError, match=r"is for a\.example"):
            await keychain.credentials_for(name)
    with pytest.raises(ConfigError, match=r"there is no credential .* --host HOST` makes it"):
        await keychain.credentials_for("c.example")


async def test_a_name_that_another_registry_uses_is_taken(database: Database) -> None:
    kept = desk(database, OLD)
    await kept.put("harbor", "a.example", ROBOT)

    with pytest.raises(NameTaken, match=r"'harbor' is for a\.example, .* lose it to b\.example"):
        await kept.put("harbor", "b.example", Credentials("other", "another password"))

    assert await kept.reveal("harbor", "a.example") == ROBOT
    await kept.put("harbor", "a.example", Credentials("robot", "a newer password"))
    assert (await kept.reveal("harbor", "a.example")).password == "a newer password"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE credential SET sealed = (SELECT sealed FROM credential WHERE name = 'b') "
        "WHERE name = 'a'",
        "UPDATE credential SET host = 'b.example' WHERE name = 'a'",
    ],
)
async def test_rows_that_are_swapped_by_hand_do_not_open(
    database: Database, statement: str
) -> None:
    kept = desk(database, OLD)
    await kept.put("a", "a.example", ROBOT)
    await kept.put("b", "b.example", Credentials("other", "another password"))
    async with database.writing() as connection:
        await connection.execute(text(statement))

    (first, _) = await kept.all()
    with pytest.raises(ConfigError, match="does not open"):
        await kept.reveal("a", first.host)


async def test_rekey_goes_on_where_it_was_ended_and_all_can_be_used_meanwhile(
    database: Database,
) -> None:
    old, both, new = desk(database, OLD), desk(database, NEW, OLD), desk(database, NEW)
    names = [f"c-{number:03}" for number in range(120)]
    for name in names:
        await old.put(name, "a.example", ROBOT)

    class Ended(Exception):
        pass

    def end(progress: object) -> None:
        raise Ended

    with pytest.raises(Ended):
        await both.rekey(end)
    halfway = [await both.reveal(name, "a.example") for name in names]
    told = []
    rest = await both.rekey(lambda progress: told.append(progress.left))

    assert halfway == [ROBOT] * 120
    assert (rest.done, rest.left) == (20, 0)
    assert told == [0]
    assert await new.reveal(names[-1], "a.example") == ROBOT


async def test_what_is_forgotten_is_gone(database: Database) -> None:
    kept = desk(database, OLD)
    await kept.put("harbor", "a.example", ROBOT)
    await kept.delete("harbor")

    with pytest.raises(CredentialNotFound):
        await kept.reveal("harbor", "a.example")
    with pytest.raises(CredentialNotFound):
        await kept.delete("harbor")
