"""However a command ends before its time, nothing is torn, and the next one finishes the work."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import signal
import time

import pytest

from tests.support.address import Address
from tests.support.contents import contents
from tests.support.embedded import store_artifact, store_image, store_index
from tests.support.faults import Faults, hold, hold_body
from tests.support.gate import Gate, hold_answer
from tests.support.plain_repository import PlainRepository

SIZE = 4 << 20


class Observer:
    """Reads a tag again and again, from a thread; it must always be whole, or not there."""

    def __init__(self, address, path, tag):
        self._place = (address, path, tag)
        self._stopping = False
        self.seen = []

    def watch(self):
        address, path, tag = self._place
        with PlainRepository(address, path) as repository:
            while not self._stopping:
                self._look(repository, tag)

    def _look(self, repository, tag):
        digest = repository.digest(tag)
        if digest is not None and digest not in self.seen:
            contents(repository, digest)
            self.seen.append(digest)

    @contextlib.asynccontextmanager
    async def watching(self):
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(self.watch))
            try:
                yield self
            finally:
                self._stopping = True


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
def gate():
    return Gate()


def has(address, path, tag):
    with PlainRepository(address, path) as repository:
        return repository.digest(tag) is not None


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_in_the_middle_of_a_blob_ends_a_copy_within_two_seconds(
    replicate, start_registry, distribution3, repository_path, faults, gate, number, code
):
    source = await start_registry(wrap=faults)
    image = store_image(source.storage, "app", "1", size=SIZE)
    faults.add(hold_body(gate, after=SIZE // 2), "GET", "/blobs/sha256:")
    command = ("copy", f"{source.host}/app:1", f"{distribution3.host}/{repository_path}:1")

    async with replicate.started(*command) as process:
        await gate.reached.wait()
        began = time.monotonic()
        process.send_signal(number)
        out, err = await process.communicate()
        seconds = time.monotonic() - began
    torn = await asyncio.to_thread(has, distribution3.address, repository_path, "1")
    gate.set()
    again = await replicate(*command)

    assert process.returncode == code
    assert seconds < 2
    assert out == b""
    assert err.decode().startswith("replicate: interrupted; ")
    assert len(err.decode().splitlines()) == 1
    assert not torn
    assert again.code == 0
    assert str(image.digest) in again.out


async def test_ctrl_c_while_a_registry_says_nothing_at_all_ends_a_copy(
    replicate, start_registry, faults, gate
):
    source = await start_registry(wrap=faults)
    faults.add(hold(gate), "GET", "/manifests/")

    async with replicate.started("copy", f"{source.host}/app:1", "oci:copy") as process:
        await gate.reached.wait()
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        await process.communicate()
        seconds = time.monotonic() - began

    assert process.returncode == 130
    assert seconds < 2


async def test_ctrl_c_in_a_run_is_kept_in_the_history_and_the_next_run_goes_on(
    replicate, start_registry, faults, gate
):
    source, destination = await start_registry(wrap=faults), await start_registry()
    store_image(source.storage, "app", "1.0", seed="quick")
    slow = store_image(source.storage, "app", "1.1", seed="slow", size=SIZE)
    # No other blob has so many bytes that some of them would have to wait.
    faults.add(hold_body(gate, after=SIZE // 2), "GET", "/blobs/sha256:")
    replicate.write_config(f"""
[[rules]]
name = "app"
source = "{source.host}/app"
destinations = ["{destination.host}/app"]
""")

    async with replicate.started("run") as process:
        await gate.reached.wait()
        await wait_for_tag(process, "1.0")
        process.send_signal(signal.SIGINT)
        await process.communicate()
    (interrupted,) = (await replicate("runs", "list", "--json")).json["runs"]
    gate.set()
    again = await replicate("run")

    assert process.returncode == 130
    assert interrupted["state"] == "cancelled"
    assert interrupted["counts"]["copied"] == 1
    assert again.code == 0
    assert "1 tag copied, 1 in step" in again.out
    assert destination.storage.resolve("app", "1.1") == slow.digest


async def test_on_a_terminal_the_bars_are_gone_and_the_cursor_is_back_after_ctrl_c(
    replicate, start_registry, faults, gate
):
    source = await start_registry(wrap=faults)
    store_image(source.storage, "app", "1", size=SIZE)
    faults.add(hold_body(gate, after=SIZE // 2), "GET", "/blobs/sha256:")
    terminal, theirs = pty.openpty()
    replicate.variables.update(TERM="xterm-256color", COLUMNS="120")

    process = await replicate.start(
        "copy", f"{source.host}/app:1", "oci:copy", stdin=theirs, stderr=theirs
    )
    os.close(theirs)
    await gate.reached.wait()
    shown = await asyncio.to_thread(read_until, terminal, b"total ")
    process.send_signal(signal.SIGINT)
    rest = await asyncio.to_thread(read_until, terminal, b"interrupted")
    await process.communicate()
    os.close(terminal)

    assert process.returncode == 130
    assert b"MiB / " in shown
    assert b"\x1b[?25l" in shown
    assert b"\x1b[?25h" in shown + rest


# Where a process is killed: a request that is about to be answered, or is answered already.
MOMENTS = {
    "in the middle of a blob's bytes": (hold_body, "GET", "/blobs/sha256:", "source"),
    "before a blob is closed": (hold, "PUT", "/blobs/uploads/", "destination"),
    "after a blob is closed": (hold_answer, "PUT", "/blobs/uploads/", "destination"),
    "before a child is written": (hold, "PUT", "/manifests/sha256:", "destination"),
    "after a child is written": (hold_answer, "PUT", "/manifests/sha256:", "destination"),
    "before the tag is written": (hold, "PUT", "/manifests/1$", "destination"),
    "after the tag is written": (hold_answer, "PUT", "/manifests/1$", "destination"),
}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_killed_copy_leaves_the_old_image_or_the_new_one_whole_and_the_next_finishes(
    replicate, start_registry, faults, gate, moment
):
    action, method, target, side = MOMENTS[moment]
    source = await start_registry(wrap=faults if side == "source" else Faults())
    destination = await start_registry(wrap=faults if side == "destination" else Faults())
    command = ("copy", f"{source.host}/app:1", f"{destination.host}/app:1")
    old = store_index(source.storage, "app", "1", seed="old")
    await replicate(*command)
    new = store_index(source.storage, "app", "1", seed="new")
    store_artifact(source.storage, "app", subject=new)
    faults.add(action(gate), method, target, nth=1)

    observer = Observer(Address(destination.host), "app", "1")
    async with observer.watching():
        async with replicate.started(*command) as process:
            await gate.reached.wait()
            process.kill()
            await process.communicate()
        gate.set()
        again = await replicate(*command)

    assert process.returncode == -signal.SIGKILL
    assert again.code == 0, again.err
    assert destination.storage.resolve("app", "1") == new.digest
    assert set(observer.seen) <= {str(old.digest), str(new.digest)}
    assert str(old.digest) in observer.seen


async def test_a_killed_run_is_taken_over_by_the_next_on_real_registries(
    replicate, start_registry, distribution3, repository_path, faults, gate
):
    source = await start_registry(wrap=faults)
    tags = [f"1.{number}" for number in range(12)]
    images = {tag: store_image(source.storage, "app", tag, seed=tag) for tag in tags}
    faults.add(hold_body(gate), "GET", "/blobs/sha256:", nth=20)
    replicate.write_config(f"""
[[rules]]
name = "app"
source = "{source.host}/app"
destinations = ["{distribution3.host}/{repository_path}"]
""")

    async with replicate.started("run") as process:
        await gate.reached.wait()
        process.kill()
        await process.communicate()
    gate.set()
    again = await replicate("run")
    runs = (await replicate("runs", "list", "--json")).json["runs"]

    assert again.code == 0, again.err
    assert [run["state"] for run in runs] == ["succeeded", "failed"]
    assert "interrupted" in runs[1]["error"]
    with PlainRepository(distribution3.address, repository_path) as repository:
        for tag, image in images.items():
            assert str(image.digest) in await asyncio.to_thread(contents, repository, tag)


async def test_a_copy_that_is_killed_in_the_middle_of_a_layout_leaves_it_whole(
    replicate, start_registry, faults, gate
):
    source = await start_registry(wrap=faults)
    old = store_image(source.storage, "app", "1", seed="old")
    command = ("copy", f"{source.host}/app:1", "oci:copy:1")
    await replicate(*command)
    new = store_image(source.storage, "app", "1", seed="new", size=SIZE)
    faults.add(hold_body(gate, after=SIZE // 2), "GET", "/blobs/sha256:")

    async with replicate.started(*command) as process:
        await gate.reached.wait()
        process.kill()
        await process.communicate()
    gate.set()
    meanwhile = await replicate("copy", "oci:copy:1", "oci:other:1")
    again = await replicate(*command)

    assert str(old.digest) in meanwhile.out
    assert str(new.digest) in again.out


async def wait_for_tag(process, tag):
    """Read the progress of a run until it says that *tag* was copied."""
    while True:
        line = await process.stderr.readline()
        assert line, "the run ended before that"
        if line.decode().rstrip().endswith(f":{tag}"):
            return


def read_until(terminal, text):
    """Read a terminal until *text* has been shown."""
    shown = b""
    while text not in shown:
        shown += os.read(terminal, 65536)
    return shown
