"""What the layers above need from a repository, wherever it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Final, Protocol, TypeAlias

from replicator.events import BlobOutcome
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.oci.reference import ManifestRef, RepositoryName, Tag
from replicator.oci.verify import Verifier
from replicator.values import dataclass

# At most 1 MiB of a blob. A memoryview is valid until the next piece is asked for: its buffer is
# used again, so whoever needs the bytes for longer copies them.
Piece: TypeAlias = bytes | bytearray | memoryview

# In bytes. What is smaller is sent again sooner than anybody has looked for its session.
LARGE: Final = 32 * 1024 * 1024

# Hears how many bytes of a blob the registry has for certain.
Confirmed: TypeAlias = Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ListedTag:
    """A tag as a listing shows it.

    ``digest`` is that of what the tag names, an index if it is one; None where the listing does
    not say, so that only asking for the tag will tell. ``created`` is when the image was made,
    where the listing knows that from the image itself.
    """

    tag: Tag
    digest: Digest | None = None
    created: datetime | None = None


# How many of some tags have to be asked for one by one where no listing tells what they name.
NeededDigests: TypeAlias = Callable[[Collection[Tag]], int]


class RepositoryReader(Protocol):
    """A repository that content is read from."""

    @property
    def name(self) -> RepositoryName: ...

    async def may_be_proxy(self, missing: Tag) -> bool:
        """Say whether this may be a pull-through proxy, by all that can be learned of that.

        While its upstream is down, a proxy lists what it happens to have, and says of the rest
        that it is not found, as it does of the tag *missing*. So what it lacks is not gone.
        """
        ...

    @property
    def max_manifest_size(self) -> int:
        """How many bytes a manifest may have to be read here."""
        ...

    def list_tags(self) -> AsyncIterator[tuple[Tag, ...]]:
        """List the tags, page by page, each tag once, in no particular order.

        What is not a tag is left out. An error in the middle means that the listing is
        incomplete: what came before it is right. Raises NotFound if the repository does not
        exist.
        """
        ...

    def observe_tags(
        self, needed: NeededDigests | None = None
    ) -> AsyncIterator[tuple[ListedTag, ...]]:
        """List the tags like ``list_tags``, with digests where a listing tells them in bulk.

        The vendor's own listing is asked where there is one, and the registry itself where that
        does not answer: then no tag has a digest. A tag that moves while it is listed may be
        missing, so that a missing tag has to be asked for before anything is deleted. With
        *needed*, a listing that costs more than the names alone, and a request for each digest
        that is wanted, may go on without digests.
        """
        ...

    async def resolve(self, ref: ManifestRef) -> Descriptor:
        """Learn what *ref* names, by HEAD where the registry allows it. Raises NotFound."""
        ...

    async def get_manifest(self, ref: ManifestRef) -> Manifest:
        """Fetch a manifest with its exact bytes, checked against *ref* if that is a digest.

        Raises NotFound, InvalidManifest, ContentMismatch.
        """
        ...

    def read_blob(
        self, blob: Descriptor, *, verifier: Verifier | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[Piece]]:
        """Read a blob, from ``verifier.offset`` on if a verifier is given.

        A read that breaks is continued inside. The last piece is handed out only once size and
        digest are right, so a receiver never gets a wrong blob whole. Raises NotFound,
        ContentMismatch, RegistryUnavailable.
        """
        ...

    async def list_referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        """List the manifests whose subject is *subject*, by API or by tag schema."""
        ...

    async def signature_tags(self, subject: Digest) -> tuple[Tag, ...]:
        """Return cosign's tags of *subject* that exist: ``sha256-….sig``, ``.att``, ``.sbom``."""
        ...


class Upload(Protocol):
    """A session that receives one blob."""

    @property
    def location(self) -> str:
        """Where another process can go on with it; empty where none can.

        It may carry a right to write, so it is never shown.
        """
        ...

    async def send(
        self,
        pieces: AsyncIterator[Piece],
        *,
        offset: int = 0,
        confirmed: Confirmed | None = None,
    ) -> None:
        """Send the blob from *offset* on and close the session.

        Where the blob goes in parts, *confirmed* hears after each of them how many bytes the
        registry has. When *pieces* raises, the blob is not completed and the error passes
        through unchanged.
        """
        ...

    async def received(self) -> int | None:
        """Ask how many bytes the session holds; None when it has to start again."""
        ...

    async def cancel(self) -> None:
        """Have the session forgotten; that may fail, and the registry forgets it in the end."""
        ...


class RepositoryWriter(Protocol):
    """A repository that content is written to."""

    @property
    def name(self) -> RepositoryName: ...

    async def resolve(self, ref: ManifestRef) -> Descriptor: ...

    def list_tags(self) -> AsyncIterator[tuple[Tag, ...]]: ...

    async def has_blob(self, blob: Descriptor) -> bool: ...

    async def offer_blob(
        self, blob: Descriptor, *, mount_from: str | None = None
    ) -> BlobOutcome | Upload:
        """Have the blob already (PRESENT), mount it (MOUNTED), or open an upload for it.

        *mount_from* is the path of a repository of the same registry that holds the blob. All
        in one request where the registry allows it.
        """
        ...

    async def continue_upload(self, blob: Descriptor, location: str) -> Upload:
        """Take up a session that was opened before, perhaps by another process.

        Ask it for what it received. Raises OutboundRefused if *location* is not the registry's.
        """
        ...

    async def put_manifest(self, manifest: Manifest, tag: Tag | None = None) -> None:
        """Write a manifest, by its digest or under *tag*, and make sure it has arrived.

        The answer's digest header is the confirmation where the registry's profile trusts it,
        else the digest is read back. A refusal of a tag that already names this manifest is
        success. Raises ContentMissing, TagImmutable, MediaTypeRejected, ContentMismatch.
        """
        ...

    async def folds_tags(self) -> bool:
        """Say whether tags that differ only in case are one here."""
        ...

    @property
    def wants_subject_first(self) -> bool:
        """Whether a referrer is refused, or may be lost, when its subject is not there yet."""
        ...

    async def announce_referrers(self, subject: Digest, referrers: Sequence[Descriptor]) -> None:
        """Make *referrers*, which are already written, findable from *subject*.

        Costs nothing where the registry maintains the list itself; else they are added to the
        tag of the tag schema, one writer at a time. (distribution-spec, "Pushing Manifests with
        Subject")
        """
        ...
