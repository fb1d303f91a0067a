"""Whatever fails, in whatever order: no tag is ever torn, and the next copy completes it."""

from __future__ import annotations

import asyncio
import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.errors import (
    ContentMissing,
    Denied,
    NotFound,
    RateLimited,
    RegistryUnavailable,
    Rejected,
)
from replicator.oci.reference import Tag
from replicator.transfer.fail_points import FailPoint
from tests.transfer.conftest import World
from tests.transfer.fakes import Call, FakeRepository
from tests.transfer.images import add_image, add_index, add_layer, add_referrer, add_signature
from tests.transfer.virtual_time import VirtualTimeLoop, until

TAGS = ("v1", "v2", "v3")
ERRORS = (
    RegistryUnavailable("502", status=502),
    RateLimited("slow down", retry_after=3600),
    Denied("no", status=403),
    NotFound("no", status=404),
    Rejected("no", status=400, codes=("DIGEST_INVALID",)),
    ContentMissing("no", status=400),
)


def seeded_world() -> World:
    """Three tags that share layers: an image, an index, an index in an index, all signed."""
    world = World()
    shared = [add_layer(world.source, "small"), add_layer(world.source, "large", 400_000)]
    image = add_image(world.source, "v1", layers=shared)
    other = add_image(world.source, seed="other", layers=[*shared, add_layer(world.source, "own")])
    index = add_index(world.source, [image, other], "v2")
    nested = add_index(world.source, [index, other], "v3", nested=True)
    add_referrer(world.source, add_referrer(world.source, other, "sbom"), "signature of it")
    add_signature(world.source, image)
    add_referrer(world.source, nested, "of the root")
    return world


class Observer:
    """Looks at every destination at every step, and sees to it that what is there is whole."""

    def __init__(self, world: World, faults: dict[int, Exception]) -> None:
        self._world = world
        self.faults = faults
        self.steps = 0

    async def __call__(self, call: Call) -> None:
        await asyncio.sleep(0)
        self.look()
        self.steps += 1
        if self.steps in self.faults:
            raise self.faults[self.steps]

    def look(self) -> None:
        for repository in (self._world.destination, self._world.other):
            for tag, digest in repository.tags.items():
                repository.reachable(digest)
                if tag in TAGS:
                    assert_has_all_that_refers_to(self._world.source, repository, digest)


def assert_has_all_that_refers_to(source: FakeRepository, copy: FakeRepository, digest) -> None:
    subjects = {digest} | {child.digest for child in source.manifests[digest].manifests}
    for manifest in source.manifests.values():
        if manifest.subject is not None and manifest.subject.digest in subjects:
            copy.reachable(manifest.digest)
            assert manifest.digest in copy.announced[manifest.subject.digest]


async def copy_all(world: World) -> list:
    orders = [world.order(tag, to=(world.destination, world.other)) for tag in TAGS]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(world.transfer.copy(order)) for order in orders]
    return [result for task in tasks for result in task.result()]


@settings(max_examples=60)
@given(
    faults=st.dictionaries(st.integers(1, 400), st.sampled_from(ERRORS), max_size=12),
    resumes=st.booleans(),
    mounts=st.booleans(),
    subject_first=st.booleans(),
)
def test_no_tag_is_torn_and_the_next_copy_completes_it(faults, resumes, mounts, subject_first):
    async def scenario() -> None:
        world = seeded_world()
        observer = Observer(world, faults)
        for registry in (world.source_registry, world.registry, world.other_registry):
            registry.hook = observer
            registry.resumes, registry.mounts = resumes, mounts
            registry.wants_subject_first = subject_first
        for result in await copy_all(world):
            assert (result.error is None) == (result.digest is not None)
            assert result.error is None or result.side in ("source", "destination")

        observer.faults = {}
        for result in await copy_all(world):
            assert result.error is None
            assert result.digest == world.source.tags[result.tag]
        observer.look()
        assert world.source.open_reads == 0

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(scenario())


@settings(max_examples=40)
@given(steps=st.integers(1, 500))
def test_cancelled_anywhere_no_tag_is_torn_and_the_next_copy_completes_it(steps):
    async def scenario() -> None:
        world = seeded_world()
        observer = Observer(world, {})
        for registry in (world.source_registry, world.registry, world.other_registry):
            registry.hook = observer
        copying = asyncio.create_task(copy_all(world))
        await until(lambda: copying.done() or observer.steps >= steps)
        copying.cancel()
        await asyncio.wait([copying])
        assert world.source.open_reads == 0
        assert world.destination.uploading == world.other.uploading == []

        for result in await copy_all(world):
            assert result.error is None
        observer.look()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(scenario())


class Stopped(BaseException):
    """The process ends here."""


@settings(max_examples=40)
@given(point=st.sampled_from(FailPoint), nth=st.integers(1, 6))
def test_a_process_that_dies_at_any_fail_point_leaves_what_the_next_one_completes(point, nth):
    async def scenario() -> None:
        world = seeded_world()
        passed = 0

        def stop(here: FailPoint) -> None:
            nonlocal passed
            passed += here is point
            if passed == nth:
                raise Stopped

        world.transfer = world.new_transfer(fail_point=stop)
        with contextlib.suppress(BaseExceptionGroup):
            await copy_all(world)
        Observer(world, {}).look()

        # The next process remembers nothing.
        after = World()
        after.source, after.destination, after.other = world.source, world.destination, world.other
        for result in await copy_all(after):
            assert result.error is None
        Observer(after, {}).look()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(scenario())


def test_a_copy_of_everything_passes_every_fail_point():
    world = seeded_world()
    passed: list[FailPoint] = []
    world.transfer = world.new_transfer(fail_point=passed.append)

    async def scenario() -> None:
        await world.copy("v3")
        await world.copy("v1", to=(world.registry.repository("mirror/second"),))

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(scenario())

    assert set(passed) == set(FailPoint)
    assert passed[-2:] == [FailPoint.BEFORE_TAG_PUT, FailPoint.AFTER_TAG_PUT]
    assert Tag("v1") in world.registry.repository("mirror/second").tags
