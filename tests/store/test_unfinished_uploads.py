"""Unfinished uploads are one process's at a time, and go over to the next when it is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from replicator.store.database import Database
from replicator.store.owner import Owner
from replicator.store.services import Services
from replicator.store.unfinished_uploads import UnfinishedUploads
from tests.store.values import ALPINE, DEBIAN, NOON, blob

LAYER = blob(b"layer")
ELSEWHERE = "/v2/hub/alpine/blobs/uploads/1?_state=secret"
ME = Owner.this_process()
GONE = replace(ME, started="1")
STRANGER = Owner("other", "other-machine", 1, "1")
DAY = timedelta(days=1)


def uploads_of(database: Database, owner: Owner, now: datetime = NOON) -> UnfinishedUploads:
    return UnfinishedUploads(database, owner, lambda: now)


async def test_an_upload_of_a_process_that_is_gone_goes_over_to_the_next(
    database: Database,
) -> None:
    await uploads_of(database, GONE).keep(ALPINE, LAYER, ELSEWHERE, offset=0)

    assert await uploads_of(database, ME).take(ALPINE, LAYER.digest) == ELSEWHERE
    assert await uploads_of(database, STRANGER).take(ALPINE, LAYER.digest) is None


async def test_an_upload_belongs_to_one_repository(database: Database) -> None:
    await uploads_of(database, GONE).keep(ALPINE, LAYER, ELSEWHERE, offset=0)

    assert await uploads_of(database, ME).take(DEBIAN, LAYER.digest) is None


async def test_a_process_may_take_up_again_what_it_broke_off_itself(database: Database) -> None:
    uploads = uploads_of(database, ME)
    await uploads.keep(ALPINE, LAYER, ELSEWHERE, offset=0)

    assert await uploads.take(ALPINE, LAYER.digest) == ELSEWHERE


async def test_a_process_of_another_machine_keeps_its_uploads_while_it_is_heard_of(
    database: Database,
) -> None:
    await Services(database, STRANGER, NOON).announce(NOON)
    await uploads_of(database, STRANGER).keep(ALPINE, LAYER, ELSEWHERE, offset=0)

    # Before anybody takes up its items: else the blob would begin anew.
    soon, late = (NOON + timedelta(seconds=seconds) for seconds in (14, 16))
    assert await uploads_of(database, ME, soon).take(ALPINE, LAYER.digest) is None
    assert await uploads_of(database, ME, late).take(ALPINE, LAYER.digest) == ELSEWHERE


async def test_the_newest_place_counts_and_nothing_is_left_of_what_has_arrived(
    database: Database,
) -> None:
    uploads = uploads_of(database, ME)
    await uploads.keep(ALPINE, LAYER, "/first", offset=0)
    await uploads.keep(ALPINE, LAYER, "/second", offset=3)

    assert await uploads.take(ALPINE, LAYER.digest) == "/second"
    await uploads.drop(ALPINE, LAYER.digest)
    assert await uploads.take(ALPINE, LAYER.digest) is None


async def test_who_lost_an_upload_does_not_forget_it_for_the_new_owner(
    database: Database,
) -> None:
    before = uploads_of(database, GONE)
    await before.keep(ALPINE, LAYER, ELSEWHERE, offset=0)
    await uploads_of(database, ME).take(ALPINE, LAYER.digest)

    await before.drop(ALPINE, LAYER.digest)

    assert await uploads_of(database, ME).take(ALPINE, LAYER.digest) == ELSEWHERE


async def test_after_a_day_it_is_forgotten_unless_somebody_is_at_work_on_it(
    database: Database,
) -> None:
    await uploads_of(database, GONE).keep(ALPINE, LAYER, ELSEWHERE, offset=0)
    await Services(database, STRANGER, NOON).announce(NOON + DAY)
    await uploads_of(database, STRANGER).keep(DEBIAN, LAYER, ELSEWHERE, offset=0)

    assert await uploads_of(database, ME, NOON + DAY).take_old() == ()
    (old,) = await uploads_of(database, ME, NOON + DAY + timedelta(seconds=1)).take_old()

    assert (old.repository, old.blob.digest, old.blob.size) == (ALPINE, LAYER.digest, LAYER.size)
    assert old.location == ELSEWHERE
    assert "secret" not in repr(old)
    assert await uploads_of(database, ME).take(ALPINE, LAYER.digest) is None


async def test_what_this_process_may_still_be_sending_is_not_forgotten_for_a_week(
    database: Database,
) -> None:
    await uploads_of(database, ME).keep(ALPINE, LAYER, ELSEWHERE, offset=0)

    assert await uploads_of(database, ME, NOON + 7 * DAY).take_old() == ()
    assert len(await uploads_of(database, ME, NOON + 8 * DAY).take_old()) == 1


async def test_a_database_that_is_away_costs_bytes_and_fails_nothing(tmp_path) -> None:
    async with Database(f"sqlite:///{tmp_path}/without/a/folder.db") as database:
        uploads = uploads_of(database, ME)

        await uploads.keep(ALPINE, LAYER, ELSEWHERE, offset=0)
        await uploads.drop(ALPINE, LAYER.digest)

        assert await uploads.take(ALPINE, LAYER.digest) is None
