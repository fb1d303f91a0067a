"""A registry in memory that satisfies the protocols, writes down each call, and fails on demand.

It is as strict as the strictest registry: a manifest is refused while anything it names is
missing. The pieces it hands out are views of one buffer that is wiped before the next piece.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from replicator.errors import (
    ContentMismatch,
    ContentMissing,
    NotFound,
    RegistryUnavailable,
)
from replicator.events import BlobOutcome
from replicator.oci import media_types
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.manifest import MAX_MANIFEST_SIZE, Manifest
from replicator.oci.reference import ManifestRef, RepositoryName, Tag
from replicator.oci.verify import Verifier
from replicator.registry.protocols import Confirmed

PIECE = 64 * 1024


@dataclass(frozen=True)
class Call:
    """One thing that a repository was asked."""

    action: str
    repository: RepositoryName
    subject: str
    offset: int = 0


Hook = Callable[[Call], Awaitable[None]]


async def let_pass(call: Call) -> None:
    """Give way to others, as every request does."""
    await asyncio.sleep(0)


@dataclass
class FakeRegistry:
    """Repositories under one host.

    *hook* is awaited before each call and each piece, and may raise or wait. *resumes* says
    whether a broken upload keeps what it got.
    """

    host: str
    mounts: bool = True
    resumes: bool = True
    wants_subject_first: bool = False
    hook: Hook = let_pass
    calls: list[Call] = field(default_factory=list)
    repositories: dict[str, FakeRepository] = field(default_factory=dict)

    def repository(self, path: str) -> FakeRepository:
        if path not in self.repositories:
            self.repositories[path] = FakeRepository(self, RepositoryName(self.host, path))
        return self.repositories[path]

    def called(self, action: str) -> list[str]:
        """What *action* was asked about, in order."""
        return [call.subject for call in self.calls if call.action == action]


class FakeRepository:
    """Reads and writes; satisfies both protocols."""

    def __init__(self, registry: FakeRegistry, name: RepositoryName) -> None:
        self.registry = registry
        self.name = name
        self.blobs: dict[Digest, bytes] = {}
        self.manifests: dict[Digest, Manifest] = {}
        self.tags: dict[Tag, Digest] = {}
        self.announced: dict[Digest, dict[Digest, Descriptor]] = {}
        self.uploading: list[Digest] = []
        self.sessions: dict[str, FakeUpload] = {}
        self.open_reads = 0
        self.max_manifest_size = MAX_MANIFEST_SIZE

    async def _call(self, action: str, subject: object, offset: int = 0) -> None:
        call = Call(action, self.name, str(subject), offset)
        self.registry.calls.append(call)
        await self.registry.hook(call)

    # Reading

    async def list_tags(self) -> AsyncIterator[tuple[Tag, ...]]:
        await self._call("list_tags", "")
        yield tuple(self.tags)

    async def resolve(self, ref: ManifestRef) -> Descriptor:
        await self._call("resolve", ref)
        return self._find(ref).descriptor

    async def get_manifest(self, ref: ManifestRef) -> Manifest:
        await self._call("get_manifest", ref)
        return self._find(ref)

    @asynccontextmanager
    async def read_blob(
        self, blob: Descriptor, *, verifier: Verifier | None = None
    ) -> AsyncIterator[AsyncIterator[memoryview]]:
        verifier = verifier or Verifier(blob)
        await self._call("read_blob", blob.digest, verifier.offset)
        if blob.digest not in self.blobs:
            raise NotFound(f"{self.name}: no blob {blob.digest}", status=404)
        self.open_reads += 1
        try:
            yield self._pieces(self.blobs[blob.digest], verifier)
        finally:
            self.open_reads -= 1

    async def _pieces(self, content: bytes, verifier: Verifier) -> AsyncIterator[memoryview]:
        buffer = bytearray(PIECE)
        for start in range(verifier.offset, len(content), PIECE):
            await self._call("read_piece", verifier.blob.digest, start)
            piece = content[start : start + PIECE]
            buffer[:] = bytes(PIECE)
            buffer[: len(piece)] = piece
            verifier.update(piece)
            if start + PIECE >= len(content):
                verifier.finish()
            yield memoryview(buffer)[: len(piece)]
            buffer[:] = bytes(PIECE)

    async def list_referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        await self._call("list_referrers", subject)
        return tuple(
            manifest.as_referrer()
            for manifest in self.manifests.values()
            if manifest.subject is not None and manifest.subject.digest == subject
        )

    async def signature_tags(self, subject: Digest) -> tuple[Tag, ...]:
        await self._call("signature_tags", subject)
        stem = f"{subject.algorithm}-{subject.hex}"
        names = [Tag(f"{stem}.{suffix}") for suffix in ("sig", "att", "sbom")]
        return tuple(name for name in names if name in self.tags)

    # Writing

    async def has_blob(self, blob: Descriptor) -> bool:
        await self._call("has_blob", blob.digest)
        return blob.digest in self.blobs

    async def offer_blob(
        self, blob: Descriptor, *, mount_from: str | None = None
    ) -> BlobOutcome | FakeUpload:
        await self._call("offer_blob", blob.digest)
        if blob.digest in self.blobs:
            return BlobOutcome.PRESENT
        if mount_from is not None and self.registry.mounts:
            holder = self.registry.repositories.get(mount_from)
            if holder is not None and blob.digest in holder.blobs:
                self.blobs[blob.digest] = holder.blobs[blob.digest]
                await self._call("mounted", blob.digest)
                return BlobOutcome.MOUNTED
        upload = FakeUpload(self, blob)
        self.sessions[upload.location] = upload
        return upload

    async def continue_upload(self, blob: Descriptor, location: str) -> FakeUpload:
        await self._call("continue_upload", blob.digest)
        return self.sessions[location]

    async def put_manifest(self, manifest: Manifest, tag: Tag | None = None) -> None:
        await self._call("put_manifest", tag or manifest.digest)
        missing = [
            *(b.digest for b in manifest.blobs if b.digest not in self.blobs and not foreign(b)),
            *(
                child.digest
                for child in manifest.manifests
                if child.digest not in self.manifests and child.digest not in self.blobs
            ),
        ]
        if missing:
            raise ContentMissing(
                f"{self.name}: MANIFEST_BLOB_UNKNOWN",
                digests=tuple(map(str, missing)),
                status=400,
                codes=("MANIFEST_BLOB_UNKNOWN",),
            )
        if self.wants_subject_first and manifest.subject is not None:
            assert manifest.subject.digest in self.manifests, "a referrer came before its subject"
        self.manifests[manifest.digest] = manifest
        if tag is not None:
            self.tags[tag] = manifest.digest

    @property
    def wants_subject_first(self) -> bool:
        return self.registry.wants_subject_first

    async def announce_referrers(self, subject: Digest, referrers: Sequence[Descriptor]) -> None:
        await self._call("announce_referrers", subject)
        for referrer in referrers:
            assert referrer.digest in self.manifests, "announced before it was written"
            self.announced.setdefault(subject, {})[referrer.digest] = referrer

    # For the tests alone

    def _find(self, ref: ManifestRef) -> Manifest:
        digest = ref if isinstance(ref, Digest) else self.tags.get(ref)
        if digest is None or digest not in self.manifests:
            raise NotFound(f"{self.name}: no manifest {ref}", status=404)
        return self.manifests[digest]

    def reachable(self, digest: Digest) -> set[Digest]:
        """Everything that a manifest names, however far down; fails where something is missing."""
        if digest in self.blobs:
            return {digest}
        manifest = self.manifests[digest]
        found = {digest}
        for blob in manifest.blobs:
            if not foreign(blob):
                assert blob.digest in self.blobs
                found.add(blob.digest)
        for child in manifest.manifests:
            found |= self.reachable(child.digest)
        return found


def foreign(blob: Descriptor) -> bool:
    return media_types.is_foreign(blob.media_type)


class FakeUpload:
    """Takes one blob; what it got of a broken one it keeps when the registry resumes."""

    def __init__(self, repository: FakeRepository, blob: Descriptor) -> None:
        self._repository = repository
        self._blob = blob
        self._content = bytearray()

    @property
    def location(self) -> str:
        return f"/v2/{self._repository.name.path}/blobs/uploads/{id(self)}"

    async def send(
        self,
        pieces: AsyncIterator[bytes | memoryview],
        *,
        offset: int = 0,
        confirmed: Confirmed | None = None,
    ) -> None:
        repository, blob = self._repository, self._blob
        assert blob.digest not in repository.uploading, "two uploads of one blob at a time"
        repository.uploading.append(blob.digest)
        try:
            await repository._call("send", blob.digest, offset)
            del self._content[offset:]
            # Like any client that knows the size, it does not ask for more after the last byte.
            while len(self._content) < blob.size or offset == blob.size:
                piece = await anext(pieces, None)
                if piece is None:
                    break
                await repository._call("send_piece", blob.digest, len(self._content))
                self._content += piece
            await repository._call("close_upload", blob.digest)
            if Digest.of(bytes(self._content), blob.digest.algorithm) != blob.digest:
                raise ContentMismatch(f"{blob.digest}: the registry got other bytes")
            repository.blobs[blob.digest] = bytes(self._content)
        finally:
            repository.uploading.remove(blob.digest)

    async def received(self) -> int | None:
        await self._repository._call("received", self._blob.digest)
        return len(self._content) if self._repository.registry.resumes else None

    async def cancel(self) -> None:
        await self._repository._call("cancel", self._blob.digest)


class Faults:
    """A hook that fails chosen calls, each fault once."""

    def __init__(self) -> None:
        self._planned: list[tuple[Callable[[Call], bool], BaseException]] = []

    def fail(
        self,
        action: str,
        subject: object = None,
        *,
        error: BaseException | None = None,
        offset: int | None = None,
        times: int = 1,
    ) -> None:
        """Plan a fault of the next calls of this kind."""

        def fits(call: Call) -> bool:
            return (
                call.action == action
                and subject in (None, call.subject)
                and offset in (None, call.offset)
            )

        error = error or RegistryUnavailable("the connection broke")
        self._planned += [(fits, error)] * times

    async def __call__(self, call: Call) -> None:
        await asyncio.sleep(0)
        for planned in self._planned:
            if planned[0](call):
                self._planned.remove(planned)
                raise planned[1]
