"""Uploads to one repository: a blob is offered, and found, mounted, or sent."""

from __future__ import annotations

import re
from typing import Final

import httpx

from replicator import errors
from replicator.errors import NotARegistry
from replicator.events import BlobOutcome, RequestKind
from replicator.oci.descriptor import Descriptor
from replicator.oci.reference import RepositoryName
from replicator.registry.answers import Answer, number_in
from replicator.registry.blobs import Blobs
from replicator.registry.calls import Call, pull, push
from replicator.registry.scopes import Scope
from replicator.registry.sending import Sender
from replicator.registry.sessions import BlobUpload

_OPENED: Final = frozenset({202})
_MOUNTED: Final = frozenset({201, 202})
_STATE: Final = re.compile(r"[?&]_?state=")


class Uploads:
    """Offers blobs to one repository."""

    def __init__(self, sender: Sender, name: RepositoryName, blobs: Blobs) -> None:
        self._sender = sender
        self._name = name
        self._blobs = blobs
        self._push = push(name.path)

    async def offer(self, blob: Descriptor, mount_from: str | None) -> BlobOutcome | BlobUpload:
        """Find out that the blob is there, have it mounted, or open a session for it.

        A mount request is all of that in one: 201 means that the blob is there now, and 202 is a
        session to send it to. Without another repository to mount from, the repository itself is
        named, which makes the same request a question whether it has the blob.
        """
        self._check_size(blob)
        if mount_from in (None, self._name.path):
            return await self._offer_itself(blob)
        return await self._offer_mount(blob, mount_from)

    def _check_size(self, blob: Descriptor) -> None:
        """Refuse what is known to be too large, before gigabytes of it are sent."""
        largest = self._sender.knowledge.profile.largest_blob
        if 0 < largest < blob.size:
            raise errors.TooLarge(
                f"{self._name}: {blob.digest} has {blob.size} bytes; "
                f"{self._name.registry} takes {largest}",
                registry=self._name.registry,
            )

    def session(self, blob: Descriptor, location: str) -> BlobUpload:
        """Return a session that was opened before."""
        source = httpx.URL(str(self._sender.gate.origin))
        return self._upload(blob, self._sender.gate.upload_location(source, location))

    async def _offer_itself(self, blob: Descriptor) -> BlobOutcome | BlobUpload:
        knowledge = self._sender.knowledge
        if knowledge.self_mount is False:
            return BlobOutcome.PRESENT if await self._blobs.has(blob) else await self._open(blob)
        answer = await self._mount(blob, self._name.path)
        if answer is None:
            # It refuses to be asked that; what it does without decides.
            session = await self._open(blob)
            knowledge.self_mount = False
            return BlobOutcome.PRESENT if await self._blobs.has(blob) else session
        if answer.status == 201:
            knowledge.self_mount = True
            return BlobOutcome.PRESENT
        session = self._opened(blob, answer)
        if knowledge.self_mount is None and await self._is_there_all_the_same(blob, session):
            return BlobOutcome.PRESENT
        return session

    async def _offer_mount(self, blob: Descriptor, mount_from: str) -> BlobOutcome | BlobUpload:
        knows_itself = self._sender.knowledge.self_mount
        if knows_itself is False and await self._blobs.has(blob):
            return BlobOutcome.PRESENT
        answer = await self._mount(blob, mount_from)
        if answer is not None and answer.status == 201:
            return BlobOutcome.MOUNTED
        if answer is None:
            return await self._offer_itself(blob)
        # The repository named may have lost the blob while this one has it.
        if knows_itself is not False and await self._blobs.has(blob):
            return BlobOutcome.PRESENT
        return self._opened(blob, answer)

    async def _mount(self, blob: Descriptor, source: str) -> Answer | None:
        """Ask for a mount from the repository at *source*; None if the request was refused.

        A token that may read *source* is asked for along with the right to write here: without
        it Quay opens a session and Harbor refuses. A refusal says nothing about the credentials.
        Raises QuotaFull: where there is no room for a mount, there is none for the blob, which
        Harbor would say only after it has come.
        """
        scopes = (self._push,) if source == self._name.path else (self._push, pull(source))
        query = {"mount": blob.digest.quoted, "from": source.replace("/", "%2F")}
        try:
            return await self._post(blob, query, scopes=scopes, expected=_MOUNTED)
        except errors.QuotaFull:
            raise
        except (errors.Unauthorized, errors.Denied, errors.NotFound, errors.Rejected):
            return None

    async def _open(self, blob: Descriptor) -> BlobUpload:
        answer = await self._post(blob, {}, scopes=(self._push,), expected=_OPENED)
        return self._opened(blob, answer)

    async def _post(
        self,
        blob: Descriptor,
        query: dict[str, str],
        *,
        scopes: tuple[Scope, ...],
        expected: frozenset[int],
    ) -> Answer:
        """Open an upload, or mount; the values of *query* are quoted."""
        if blob.digest.algorithm != "sha256":
            query = {**query, "digest-algorithm": blob.digest.algorithm}
        parameters = "&".join(f"{name}={value}" for name, value in query.items())
        text = f"?{parameters}" if query else ""
        return await self._sender.send(
            Call(
                RequestKind.UPLOAD,
                "POST",
                f"{self._name.path}/blobs/uploads/{text}",
                str(self._name),
                "POST blobs/uploads/",
                scopes=scopes,
                expected=expected,
                refine=_refused if "mount" in query else None,
            )
        )

    async def _is_there_all_the_same(self, blob: Descriptor, session: BlobUpload) -> bool:
        """Say whether a blob is there although the mount from the repository itself gave a session.

        Of those that keep the state of a session in its Location (distribution, olareg) it is
        known that it is not; but not of Azure, whose have another parameter beside it. Others
        are asked, until an upload has shown what mounts mean.
        """
        knowledge = self._sender.knowledge
        if _STATE.search(session.url) and "_nouploadcache=" not in session.url:
            knowledge.self_mount = True
            return False
        if await self._blobs.has(blob):
            knowledge.self_mount = False
            return True
        return False

    async def _learn(self, blob: Descriptor) -> None:
        """Find out, once and from a blob that is surely there, what a mount from itself means."""
        knowledge = self._sender.knowledge
        if knowledge.self_mount is None:
            knowledge.self_mount = False  # until it is known, and so that nobody else asks
            try:
                answer = await self._mount(blob, self._name.path)
            except errors.RegistryError:
                return  # the blob has been sent, and that is what counts
            knowledge.self_mount = answer is not None and answer.status == 201

    def _opened(self, blob: Descriptor, answer: Answer) -> BlobUpload:
        location = answer.headers.get("location")
        if not location:
            raise NotARegistry(
                f"{self._name}: POST blobs/uploads/: {answer.status} without a Location",
                status=answer.status,
                registry=self._name.registry,
            )
        return self._upload(
            blob,
            self._sender.gate.upload_location(answer.url, location),
            least_chunk=number_in(answer.headers.get("oci-chunk-min-length")) or 0,
        )

    def _upload(self, blob: Descriptor, location: httpx.URL, *, least_chunk: int = 0) -> BlobUpload:
        return BlobUpload(
            self._sender,
            self._name,
            blob,
            location,
            blobs=self._blobs,
            done=self._learn,
            least_chunk=least_chunk,
        )


def _refused(answer: Answer, error: errors.RegistryError) -> errors.RegistryError:
    """Return the error for a mount that failed; one that fails with 500 is not tried again."""
    if answer.status != 500:
        return error
    return errors.Rejected(str(error), status=500, codes=error.codes, registry=error.registry)
