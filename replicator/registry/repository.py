"""Repository: reads and writes one repository; satisfies RepositoryReader and RepositoryWriter."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager

from replicator.errors import RegistryUnavailable
from replicator.events import BlobOutcome
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.oci.reference import ManifestRef, RepositoryName, Tag
from replicator.oci.verify import Verifier
from replicator.registry.blobs import Blobs, is_known
from replicator.registry.groundwork import Groundwork
from replicator.registry.manifests import Manifests
from replicator.registry.mirrors import Mirrors
from replicator.registry.overview import Overview
from replicator.registry.protocols import ListedTag, NeededDigests, Piece, Upload
from replicator.registry.referrers import Referrers, TagLists
from replicator.registry.sending import Sender
from replicator.registry.tags import Tags
from replicator.registry.uploads import Uploads
from replicator.registry.vendors.choice import Vendors


class Repository:
    """One repository of a registry; see the protocols for what its methods promise.

    It remembers what it has seen, such as which tags stand for digests, so it is made anew for
    each run.
    """

    def __init__(
        self,
        sender: Sender,
        name: RepositoryName,
        *,
        overview: Overview,
        groundwork: Groundwork,
        lists: TagLists,
        mirrors: Mirrors,
        vendors: Vendors,
    ) -> None:
        self._name = name
        self._sender = sender
        self._overview = overview
        self._groundwork = groundwork
        self._mirrors = mirrors
        self._vendors = vendors
        self._manifests = Manifests(sender, name)
        self._tags = Tags(sender, name)
        self._blobs = Blobs(sender, name)
        self._uploads = Uploads(sender, name, self._blobs)
        self._referrers = Referrers(
            sender, name, manifests=self._manifests, tags=self._tags, lists=lists
        )

    @property
    def name(self) -> RepositoryName:
        return self._name

    def list_tags(self) -> AsyncGenerator[tuple[Tag, ...], None]:
        return self._tags.list()

    def observe_tags(
        self, needed: NeededDigests | None = None
    ) -> AsyncGenerator[tuple[ListedTag, ...], None]:
        return self._overview.tags(self._tags, needed)

    async def may_be_proxy(self, missing: Tag) -> bool:
        profile, path = self._sender.knowledge.profile, self._name.path
        if self._sender.settings.passes_on(path) or self._manifests.is_proxy:
            return True
        if profile.explains_absence:
            return await self._manifests.blames_upstream(missing)
        teller = self._vendors.proxy_teller(profile, path)
        return teller is not None and await teller.is_proxy(path) is not False

    @property
    def max_manifest_size(self) -> int:
        return self._sender.settings.max_manifest_size

    async def resolve(self, ref: ManifestRef) -> Descriptor:
        if isinstance(ref, Digest) or not self._mirrors:
            return await self._manifests.resolve(ref)
        if self._mirrors.is_upstream_down and (found := await self._resolve_at_mirror(ref)):
            return found
        try:
            return await self._manifests.resolve(ref)
        except RegistryUnavailable as error:
            found = await self._resolve_at_mirror(ref) if error.status is None else None
            if found is None:
                raise
            self._mirrors.upstream_failed()
            return found

    async def _resolve_at_mirror(self, tag: Tag) -> Descriptor | None:
        return await self._mirrors.resolve(self._name.path, tag)

    async def get_manifest(self, ref: ManifestRef) -> Manifest:
        if not isinstance(ref, Digest) and self._mirrors.resolves_tags:
            ref = (await self.resolve(ref)).digest
        if isinstance(ref, Digest):
            manifest = await self._mirrors.find_manifest(self._name.path, ref)
            if manifest is not None:
                return manifest
        return await self._manifests.get(ref)

    def read_blob(
        self, blob: Descriptor, *, verifier: Verifier | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[Piece]]:
        if not self._mirrors or is_known(blob):
            return self._blobs.read(blob, verifier)
        return self._mirrors.read_blob(
            self._name.path, verifier or Verifier(blob), upstream=self._blobs.read
        )

    async def list_referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        return await self._referrers.list(subject)

    async def signature_tags(self, subject: Digest) -> tuple[Tag, ...]:
        return await self._referrers.signature_tags(subject)

    async def has_blob(self, blob: Descriptor) -> bool:
        return await self._blobs.has(blob)

    async def offer_blob(
        self, blob: Descriptor, *, mount_from: str | None = None
    ) -> BlobOutcome | Upload:
        return await self._groundwork.write(
            self._name, lambda: self._uploads.offer(blob, mount_from)
        )

    async def continue_upload(self, blob: Descriptor, location: str) -> Upload:
        """Take up a session that was opened before, perhaps by another process.

        Ask it for what it received. Raises OutboundRefused if *location* is not the registry's.
        """
        await self._sender.settle_scheme()
        return self._uploads.session(blob, location)

    async def put_manifest(self, manifest: Manifest, tag: Tag | None = None) -> None:
        subject = await self._groundwork.write(
            self._name, lambda: self._manifests.put(manifest, tag)
        )
        self._referrers.note_answer(manifest, subject)
        if tag is not None:
            self._tags.note(tag)

    @property
    def wants_subject_first(self) -> bool:
        return self._sender.knowledge.profile.subject_first

    async def announce_referrers(self, subject: Digest, referrers: Sequence[Descriptor]) -> None:
        await self._referrers.announce(subject, referrers)

    async def folds_tags(self) -> bool:
        await self._overview.recognise()
        return self._sender.knowledge.profile.folds_tags

    @property
    def deletes_tags(self) -> bool:
        """Whether a tag can be deleted here without what it names and its other tags."""
        profile = self._sender.knowledge.profile
        return profile.deletes_tags or self._vendors.remover(profile, self._name.path) is not None

    async def delete_tag(self, tag: Tag) -> None:
        """Delete *tag* and nothing else.

        Raises NotFound, Denied or Unauthorized where the login may not, or Rejected where the
        registry deletes by digest alone. Whether the tag may go is for the caller to prove.
        """
        remover = self._vendors.remover(self._sender.knowledge.profile, self._name.path)
        if remover is None:
            await self._manifests.delete(tag)
        else:
            await remover.delete_tag(self._name.path, tag)

    async def delete_manifest(self, digest: Digest) -> None:
        """Delete a manifest and, on most registries, every tag that names it.

        Raises NotFound, Rejected. Whether it may go is for the caller to prove.
        """
        await self._manifests.delete(digest)
