"""Services that copy share what registries allow, and forget uploads that nobody goes on with."""

from __future__ import annotations

from replicator.errors import RegistryUnavailable, StoreError
from replicator.oci.reference import RepositoryName
from replicator.service.outside.registries import Registries
from replicator.service.processes.shared_limits import SharedLimits
from replicator.service.scheduling.old_uploads import OldUploads
from replicator.store.unfinished_uploads import OldUpload
from tests.store.values import NOON, blob


class Opened:
    """A registry that writes down what it is told."""

    def __init__(self, host):
        self.among = None
        self.cancelled = []
        self.fails = False

    def divide_limits(self, among):
        self.among = among

    def repository(self, path):
        return self

    async def continue_upload(self, blob, location):
        if self.fails:
            raise RegistryUnavailable("502", status=502)
        self.location = location
        return self

    async def cancel(self):
        self.cancelled.append(self.location)


class Workers:
    def __init__(self, number):
        self.number = number

    async def working(self, now):
        if self.number is None:
            raise StoreError("the database is away")
        return self.number


def open_registries():
    opened = {}

    def open_registry(settings, *, listener):
        return opened.setdefault(settings.name, Opened(settings.name))

    return Registries({}, open_registry=open_registry, open_layout=None), opened


def use(registries, host):
    registries.repository(RepositoryName(host, "team/app"))


async def test_limits_are_divided_among_those_who_are_there_also_of_registries_opened_later():
    registries, opened = open_registries()
    use(registries, "one.example")
    workers = Workers(3)
    shared = SharedLimits(workers, registries, clock=lambda: NOON)

    await shared.look()
    use(registries, "two.example")
    assert [each.among for each in opened.values()] == [3, 3]

    workers.number = 1
    await shared.look()
    assert [each.among for each in opened.values()] == [1, 1]


async def test_they_stay_as_they_are_while_the_database_is_away():
    registries, opened = open_registries()
    use(registries, "one.example")
    workers = Workers(2)
    shared = SharedLimits(workers, registries, clock=lambda: NOON)
    await shared.look()

    workers.number = None
    await shared.look()

    assert opened["one.example"].among == 2


async def test_an_old_upload_is_cancelled_and_one_that_cannot_be_is_left_to_its_registry():
    registries, opened = open_registries()
    names = [RepositoryName(host, "team/app") for host in ("one.example", "two.example")]
    for name in names:
        registries.repository(name)
    opened["one.example"].fails = True

    class Unfinished:
        async def take_old(self):
            return [OldUpload(name, blob(b"layer"), f"/of/{name}") for name in names]

    await OldUploads(Unfinished(), registries).cancel()

    assert opened["one.example"].cancelled == []
    assert opened["two.example"].cancelled == ["/of/two.example/team/app"]
