"""Full disks, planted links, dead writers and several at once leave a layout whole."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from replicator.errors import LayoutError, RegistryUnavailable
from replicator.layout.layout import open_layout
from replicator.layout.new_file import new_file
from replicator.oci.reference import Tag
from replicator.transfer.copy import Transfer
from replicator.transfer.inventory import MemoryInventory
from replicator.transfer.order import Destination, Order
from tests.layout.conftest import REF_NAME, files_of
from tests.transfer.fakes import Call, Faults
from tests.transfer.images import add_image, add_layer


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one mebibyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


async def test_a_full_disk_is_one_clear_error_and_leaves_the_old_state(small_disk, source, copy):
    layout = open_layout(small_disk / "layout")
    add_image(source, "v1")
    await copy(source, layout)
    before = snapshot(small_disk)
    add_image(source, "v2", seed="big", layers=[add_layer(source, "large", 3_000_000)])

    with pytest.raises(LayoutError) as failure:
        await copy(source, layout, "v2")

    assert os.strerror(errno.ENOSPC) in str(failure.value)
    assert "\n" not in str(failure.value)
    assert (await layout.resolve(Tag("v1"))).digest
    # A small blob that came along may still be on its way to the disk: a thread ends that.
    await asyncio.get_running_loop().shutdown_default_executor()
    after = snapshot(small_disk)
    assert before.items() <= after.items()
    assert not any(".new-" in name for name in after)


async def test_an_index_that_finds_no_room_leaves_the_old_one(small_disk, source, copy):
    layout = open_layout(small_disk / "layout")
    add_image(source, "v1")
    await copy(source, layout)
    index = (small_disk / "layout/index.json").read_bytes()
    image = add_image(source, seed="next", layers=[])
    for blob in image.blobs:
        await copy_blob(source, layout, blob)
    fill(small_disk)

    with pytest.raises(LayoutError, match="No space left"):
        await layout.put_manifest(image, Tag("v2"))

    assert (small_disk / "layout/index.json").read_bytes() == index


def fill(disk: Path) -> None:
    with suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(512))


async def threads_ended() -> None:
    """What a process does before it ends: a file that is being kept is kept or removed."""
    await asyncio.get_running_loop().shutdown_default_executor()


async def copy_blob(source, layout, blob) -> None:
    async with source.read_blob(blob) as pieces:
        await (await layout.offer_blob(blob)).send(pieces)


def test_a_file_that_may_not_grow_is_one_clear_error(tmp_path):
    """What a quota does; in a process of its own, as the limit holds for all of it."""
    program = textwrap.dedent(
        f"""
        import asyncio, resource
        from pathlib import Path
        from replicator.errors import LayoutError
        from replicator.layout.layout import open_layout
        from replicator.oci.descriptor import Descriptor
        from replicator.oci.digest import Digest

        async def main():
            layout = open_layout(Path({str(tmp_path / "layout")!r}))
            content = bytes(300_000)
            upload = await layout.offer_blob(
                Descriptor("text/plain", Digest.of(content), len(content))
            )
            async def pieces():
                yield content
            try:
                await upload.send(pieces())
            except LayoutError as error:
                print(error)

        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        asyncio.run(main())
        """
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert os.strerror(errno.EFBIG) in done.stdout
    assert files_of(open_layout(tmp_path / "layout")) == {"oci-layout"}


async def test_a_source_that_breaks_leaves_no_half_blob(source, layout):
    layer = add_layer(source, "large", 1_000_000)
    add_image(source, "v1", layers=[layer])
    faults = Faults()
    faults.fail("read_piece", str(layer.digest), offset=10 * 64 * 1024)
    source.registry.hook = faults
    transfer = Transfer(inventory=MemoryInventory())

    (result,) = await transfer.copy(Order(source, Tag("v1"), (Destination(layout, Tag("v1")),)))

    assert isinstance(result.error, RegistryUnavailable)
    assert result.side == "source"
    await threads_ended()
    assert f"blobs/sha256/{layer.digest.hex}" not in files_of(layout)
    assert not any(".new-" in name for name in files_of(layout))


async def test_cancelled_in_the_middle_of_a_blob_it_leaves_nothing_half(source, layout, copy):
    layer = add_layer(source, "large", 1_000_000)
    add_image(source, "v1", layers=[layer])
    reached = asyncio.Event()

    async def stop(call: Call) -> None:
        if call.action == "read_piece" and call.offset > 500_000:
            reached.set()
            await asyncio.Event().wait()

    source.registry.hook = stop
    copying = asyncio.create_task(copy(source, layout))
    await reached.wait()
    copying.cancel()
    await asyncio.wait([copying])

    assert copying.cancelled()
    await threads_ended()
    assert not any(".new-" in name for name in files_of(layout))
    assert "index.json" not in files_of(layout)


async def test_what_a_dead_writer_left_is_removed_and_what_a_living_one_writes_is_not(
    source, layout, copy
):
    add_image(source, "v1")
    await copy(source, layout)
    blobs = Path(layout.name.path) / "blobs/sha256"
    (blobs / ".new-0123456789abcdef").write_bytes(b"half a blob")
    directory = os.open(blobs, os.O_RDONLY)
    add_image(source, "v2", seed="second")

    with new_file(directory) as living:
        living.write(b"still coming")
        await copy(source, open_layout(Path(layout.name.path)), "v2")
        left = [name for name in files_of(layout) if ".new-" in name]
    os.close(directory)

    assert len(left) == 1
    assert not left[0].endswith("0123456789abcdef")


@pytest.mark.parametrize("planted", ["blobs", "blobs/sha256"])
async def test_a_folder_that_is_a_link_is_not_followed(source, layout, copy, tmp_path, planted):
    add_image(source, "v1")
    await copy(source, layout)
    outside = tmp_path / "outside"
    place = Path(layout.name.path) / planted
    place.rename(outside)
    place.symlink_to(outside)
    before = snapshot(outside)
    add_image(source, "v2", seed="second")

    with pytest.raises(LayoutError):
        await layout.get_manifest(Tag("v1"))
    with pytest.raises(LayoutError):
        await copy(source, layout, "v2")
    assert snapshot(outside) == before


async def test_a_blob_that_is_a_link_is_not_followed(source, layout, copy, tmp_path):
    image = add_image(source, "v1")
    await copy(source, layout)
    secret = tmp_path / "secret"
    secret.write_bytes(source.blobs[image.config.digest])
    planted = Path(layout.name.path) / "blobs/sha256" / image.config.digest.hex
    planted.unlink()
    planted.symlink_to(secret)

    with pytest.raises(LayoutError, match="links are not followed"):
        async with layout.read_blob(image.config):
            pass


async def test_a_pipe_in_the_place_of_a_blob_does_not_stop_anybody(source, layout, copy):
    image = add_image(source, "v1")
    await copy(source, layout)
    planted = Path(layout.name.path) / "blobs/sha256" / image.digest.hex
    planted.unlink()
    os.mkfifo(planted)

    with pytest.raises(LayoutError, match="not a regular file"):
        await layout.get_manifest(Tag("v1"))


async def test_two_writers_in_one_process_lose_no_tag(source, layout, copy):
    for number in range(20):
        add_image(source, f"v{number}", seed=str(number))
    second = open_layout(Path(layout.name.path))

    await asyncio.gather(
        *(copy(source, (layout, second)[number % 2], f"v{number}") for number in range(20))
    )

    tags = {tag async for page in layout.list_tags() for tag in page}
    assert tags == {f"v{number}" for number in range(20)}


def test_two_processes_lose_no_tag(tmp_path):
    program = textwrap.dedent(
        """
        import asyncio, sys
        from pathlib import Path
        from replicator.layout.layout import open_layout
        from replicator.oci.reference import Tag
        from replicator.oci.manifest import Manifest

        async def main(folder, name):
            layout = open_layout(Path(folder))
            for number in range(30):
                content = b'{"schemaVersion":2,"manifests":[],"n":"%s-%d"}' % (
                    name.encode(), number
                )
                await layout.put_manifest(Manifest.parse(content, ""), Tag(f"{name}-{number}"))

        asyncio.run(main(*sys.argv[1:]))
        """
    )
    folder = tmp_path / "layout"
    writers = [
        subprocess.Popen([sys.executable, "-c", program, folder, name]) for name in ("a", "b", "c")
    ]

    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    index = json.loads((folder / "index.json").read_bytes())
    names = [entry["annotations"][REF_NAME] for entry in index["manifests"]]
    assert sorted(names) == sorted(f"{name}-{number}" for name in "abc" for number in range(30))


async def test_a_reader_always_sees_a_whole_index(source, layout, copy):
    add_image(source, "v0", seed="0")
    await copy(source, layout, "v0")
    stop = False

    async def read() -> int:
        times = 0
        while not stop:
            json.loads((Path(layout.name.path) / "index.json").read_bytes())
            times += 1
            await asyncio.sleep(0)
        return times

    reading = asyncio.create_task(read())
    for number in range(1, 10):
        add_image(source, f"v{number}", seed=str(number))
        await copy(source, layout, f"v{number}")
    stop = True

    assert await reading > 9


async def test_a_write_waits_for_whoever_holds_the_lock(source, layout, copy):
    add_image(source, "v1")
    await copy(source, layout)
    add_image(source, "v2", seed="second")
    with (Path(layout.name.path) / "oci-layout").open("r+b") as marker:
        fcntl.flock(marker, fcntl.LOCK_EX)
        copying = asyncio.create_task(copy(source, layout, "v2"))
        done, _ = await asyncio.wait([copying], timeout=0.3)
        assert not done
        assert {tag async for page in layout.list_tags() for tag in page} == {"v1"}
        fcntl.flock(marker, fcntl.LOCK_UN)

    assert (await copying).written


async def test_a_folder_that_may_not_be_written_is_one_clear_error(source, copy, tmp_path):
    add_image(source, "v1")
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(LayoutError, match="cannot be made: Not a directory"):
        await copy(source, open_layout(tmp_path / "file" / "layout"))
