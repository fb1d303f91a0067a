"""Registries, ledger, history and transfer in memory, with the requests that were made."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from replicator.errors import NotFound, RegistryUnavailable, ReplicatorError, RunActive
from replicator.events import RequestFinished, RequestKind
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.media_types import OCI_MANIFEST
from replicator.oci.reference import RepositoryName, Tag
from replicator.registry.protocols import ListedTag
from replicator.store.records import RuleNotes, RunRecord, RunState
from replicator.transfer.order import Result, Tally

START = datetime(2025, 6, 1, tzinfo=UTC)


class Clock:
    """A clock that a test moves."""

    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now

    def pass_time(self, **time):
        self.now += timedelta(**time)


@dataclass
class Content:
    """What a repository holds: tags, and by digest what refers to it."""

    tags: dict[Tag, Digest] = field(default_factory=dict)
    referrers: dict[Digest, set[Digest]] = field(default_factory=dict)

    def put(self, *names, content=""):
        for name in names:
            self.tags[Tag(name)] = Digest.of(f"{content or name}".encode())


class World:
    """All registries, and how they misbehave.

    ``broken`` maps (kind, repository, tag) to the error that is the answer; ``page_size`` is that
    of listings, ``breaks_after`` the page after which a repository's listing breaks off. With
    ``bulk`` listings tell digests. ``meanwhile`` is called with each request before its answer.
    """

    def __init__(self):
        self.contents = {}
        self.requests = Counter()
        self.broken = {}
        self.breaks_after = {}
        self.page_size = 1000
        self.bulk = False
        self.meanwhile = lambda kind, repository, tag: None
        self.in_flight = 0
        self.most_in_flight = 0

    def content(self, name) -> Content:
        return self.contents.setdefault(RepositoryName.parse(str(name)), Content())

    def count(self, kind, *, registry=None):
        return sum(
            number
            for (host, its_kind), number in self.requests.items()
            if its_kind == kind and registry in (None, host)
        )

    async def request(self, listener, registry, kind, repository, tag=None):
        self.requests[registry, kind] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(0)
        self.in_flight -= 1
        listener(RequestFinished(registry, kind, 200, 0.0, "GET"))
        self.meanwhile(kind, str(repository), tag)
        error = self.broken.get((kind, str(repository), tag))
        if error is not None:
            raise error


class FakeRepository:
    """The parts of a repository that observing needs."""

    def __init__(self, world, name, listener):
        self.world, self.name, self._listener = world, name, listener

    @property
    def content(self):
        return self.world.contents.get(self.name)

    async def list_tags(self):
        await self._request(RequestKind.TAGS)
        if self.content is None:
            raise NotFound(f"{self.name}: 404", status=404, codes=("NAME_UNKNOWN",))
        tags = sorted(self.content.tags)
        for page, start in enumerate(range(0, len(tags), self.world.page_size)):
            if page:
                await self._request(RequestKind.TAGS)
            if self.world.breaks_after.get(str(self.name)) == page:
                raise RegistryUnavailable("503", status=503)
            yield tuple(tags[start : start + self.world.page_size])

    async def observe_tags(self, needed=None):
        bulk = self.world.bulk
        async for page in self.list_tags():
            yield tuple(ListedTag(tag, self.content.tags[tag] if bulk else None) for tag in page)

    async def resolve(self, ref):
        await self._request(RequestKind.MANIFEST_HEAD, ref)
        digest = self.content and self.content.tags.get(ref)
        if digest is None:
            raise NotFound(f"{self.name}:{ref}: 404", status=404, codes=("MANIFEST_UNKNOWN",))
        return Descriptor(OCI_MANIFEST, digest, 1)

    deletes_tags = True
    is_proxy = False

    folds = False

    async def folds_tags(self):
        return self.folds

    async def may_be_proxy(self, missing):
        return self.is_proxy

    async def delete_tag(self, tag):
        await self._request(RequestKind.MANIFEST_DELETE, tag)
        if self.content.tags.pop(tag, None) is None:
            raise NotFound(f"{self.name}:{tag}: 404", status=404)

    async def list_referrers(self, subject):
        await self._request(RequestKind.REFERRERS)
        found = self.content.referrers.get(subject, ()) if self.content else ()
        return tuple(Descriptor(OCI_MANIFEST, digest, 1) for digest in found)

    async def signature_tags(self, subject):
        await self._request(RequestKind.TAGS)
        return tuple(tag for tag in self.content.tags if tag.startswith(f"sha256-{subject.hex}."))

    async def _request(self, kind, tag=None):
        await self.world.request(self._listener, self.name.registry, kind, self.name, tag)


class FakeRegistry:
    def __init__(self, world, host, listener):
        self._world, self._host, self._listener = world, host, listener

    def repository(self, path):
        return FakeRepository(self._world, RepositoryName(self._host, path), self._listener)

    def divide_limits(self, among):
        self.among = among

    async def list_repositories(self, under):
        await self._world.request(self._listener, self._host, RequestKind.CATALOG, self._host)
        yield tuple(name.path for name in self._world.contents if name.registry == self._host)

    async def aclose(self):
        pass


class FakeCopier:
    """Makes destination tags name what the source's do; some fail, some never end.

    Those have *brought* something until somebody ends them.
    """

    def __init__(self, world):
        self._world = world
        self.orders = []
        self.failing: dict[str, tuple[ReplicatorError, str]] = {}
        self.endless: set[str] = set()
        self.brought = Tally()
        self.running = self.most_running = 0
        self.done = asyncio.Semaphore(0)

    async def copy(self, order):
        self.orders.append(order)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.sleep(0)
            if str(order.reference) in self.endless:
                order.begun(lambda: self.brought)
                await asyncio.Event().wait()
            return tuple(self._carry_out(order, each) for each in order.destinations)
        finally:
            self.running -= 1

    def _carry_out(self, order, destination):
        result = Result(destination.repository.name, destination.tag)
        source = self._world.contents[order.source.name]
        digest = order.reference
        if not isinstance(digest, Digest):
            digest = source.tags.get(digest)
        for key in (destination.tag, str(destination.repository.name)):
            if key in self.failing:
                result.error, result.side = self.failing[key]
                return result
        if digest is None:
            result.error, result.side = NotFound("404", status=404), "source"
            return result
        target = self._world.content(destination.repository.name)
        result.source_digest = digest
        result.digest = (
            Digest.of(f"{digest}{order.platforms}".encode()) if order.platforms else digest
        )
        result.written = target.tags.get(destination.tag) != result.digest
        result.tally = Tally(bytes_moved=10, blobs_moved=1) if result.written else Tally()
        target.tags[destination.tag] = result.digest
        if order.referrers and digest in source.referrers:
            target.referrers[digest] = set(source.referrers[digest])
        self.done.release()
        return result


class FakeNotes:
    """Notes on tags in memory, by rule."""

    def __init__(self):
        self.kept = {}

    async def of_rule(self, rule):
        return self.kept.get(rule, RuleNotes())

    async def change(self, rule, changes):
        before = self.kept.get(rule, RuleNotes())
        self.kept[rule] = RuleNotes(
            _changed(before.failing, changes.failing, changes.recovered),
            _changed(before.missing, changes.missing, changes.returned),
            _changed(before.refused, changes.refused, changes.accepted),
        )


def _changed(before, notes, gone):
    kept = {key: note for key, note in before.items() if key not in set(gone)}
    return kept | {(note.destination, note.tag): note for note in notes}


class FakeLedger:
    def __init__(self):
        self.rows = {}
        self.questions = 0
        self.writes = 0

    def fenced(self, fence):
        return self

    async def published_tags(self, wanted):
        self.questions += 1
        await asyncio.sleep(0)
        keys = {(name, tag) for name, tags in wanted.items() for tag in tags}
        return {key: row for key, row in self.rows.items() if key in keys}

    async def published(self, destination):
        return {row.tag: row for row in self.rows.values() if row.destination == destination}

    async def remove_published(self, destination, tags):
        for tag in tags:
            self.rows.pop((destination, tag), None)

    async def record(self, rows, blobs, *, at):
        self.writes += 1
        await asyncio.sleep(0)
        for row in rows:
            self.rows[row.destination, row.tag] = row


class FakeRuns:
    def __init__(self):
        self.started = []
        self.finished = {}
        self.moved = []
        self.actions = {}
        self.renewed = asyncio.Semaphore(0)
        self.active = set()
        self.unwanted = frozenset()
        self.stolen = frozenset()

    async def start(self, rule, trigger, now):
        if rule.name in self.active:
            raise RunActive(f"rule {rule.name!r} has a run under way")
        number = len(self.started) + 1
        record = RunRecord(
            f"run-{number}", number, rule, trigger, RunState.RUNNING, "me", started_at=now
        )
        self.started.append(record)
        return record

    async def renew(self, now, runs, moved):
        self.moved.append(moved)
        self.renewed.release()

    async def taken(self, runs):
        return self.stolen & runs

    async def to_cancel(self):
        return self.unwanted

    async def save(self, run_id, actions):
        for action in actions:
            self.actions[run_id, str(action.destination), str(action.tag)] = action

    async def finish(self, run_id, state, totals, now, *, error=""):
        self.finished[run_id] = (state, totals, error)
