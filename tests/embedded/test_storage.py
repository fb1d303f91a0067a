"""What directories have beyond memory: a restart, and files that are whole or not there."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from replicator.embedded.directory import DirectoryStorage
from replicator.embedded.server import EmbeddedRegistry
from replicator.oci.digest import Digest
from replicator.oci.media_types import DOCKER_MANIFEST
from tests.support.embedded import (
    random_bytes,
    store_artifact,
    store_blob,
    store_index,
    store_manifest,
)


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


async def test_content_survives_a_restart(tmp_path: Path):
    before = DirectoryStorage(tmp_path)
    index = store_index(before, "team/app", "v1")
    signature = store_artifact(before, "team/app", subject=index)

    async with (
        EmbeddedRegistry(DirectoryStorage(tmp_path)) as registry,
        httpx.AsyncClient(base_url=f"{registry.url}/v2/team/app") as http,
    ):
        manifest = await http.get("manifests/v1")
        referrers = await http.get(f"referrers/{index.digest}")
        child = await http.get(f"manifests/{manifest.json()['manifests'][0]['digest']}")
        digest = Digest.parse(child.json()["layers"][0]["digest"])
        layer = await http.get(f"blobs/{digest}")

    assert Digest.of(manifest.content) == index.digest
    assert manifest.headers["Content-Type"] == index.media_type
    assert [entry["digest"] for entry in referrers.json()["manifests"]] == [str(signature.digest)]
    assert Digest.of(layer.content) == digest


def test_a_media_type_that_the_content_does_not_tell_is_remembered(storage):
    stored = store_manifest(storage, "team/app", b'{"layers":[]}\n\n', DOCKER_MANIFEST)

    assert storage.manifest("team/app", stored.digest) == (DOCKER_MANIFEST, b'{"layers":[]}\n\n')


def test_a_blob_is_not_there_before_it_is_committed(storage):
    content = random_bytes("blob", 1000)
    staged = storage.stage_blob()
    staged.append(content)

    assert storage.blob_size("team/app", Digest.of(content)) is None
    assert not storage.has_repository("team/app")

    staged.commit("team/app", Digest.of(content))
    assert storage.blob_size("team/app", Digest.of(content)) == 1000


def test_uploads_leave_no_file_behind(tmp_path: Path):
    storage = DirectoryStorage(tmp_path)
    blob = store_blob(storage, "team/app", b"kept")
    discarded = storage.stage_blob()
    discarded.append(b"discarded")
    discarded.discard()
    left = storage.stage_blob()
    left.append(b"left lying when the process ended")

    DirectoryStorage(tmp_path)

    assert [path.name for path in files(tmp_path)] == [blob.digest.hex]


def test_a_mounted_blob_takes_no_second_place(tmp_path: Path):
    storage = DirectoryStorage(tmp_path)
    blob = store_blob(storage, "team/base", random_bytes("blob", 1000))

    storage.mount_blob("team/app", blob.digest, "team/base")

    assert len({path.stat().st_ino for path in files(tmp_path)}) == 1


def test_a_piece_that_failed_half_way_is_written_again_in_its_place(tmp_path: Path):
    storage = DirectoryStorage(tmp_path)
    staged = storage.stage_blob()
    staged.append(b"first,")
    [file] = files(tmp_path)
    with file.open("ab") as torn:
        torn.write(b"half of a piece, when the disk was full")

    staged.append(b"second")
    staged.commit("team/app", Digest.of(b"first,second"))

    content = b"".join(storage.read_blob("team/app", Digest.of(b"first,second"), 0, 100))
    assert content == b"first,second"


def test_a_folder_that_cannot_be_made_is_an_error_at_once(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(NotADirectoryError):
        DirectoryStorage(tmp_path / "file")
