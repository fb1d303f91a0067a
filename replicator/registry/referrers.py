"""Referrers: signatures and the like of a manifest, by the API or by the tag schema."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, Final

from replicator import errors
from replicator.events import RequestKind
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.oci.media_types import OCI_INDEX
from replicator.oci.reference import RepositoryName, Tag
from replicator.oci.strict_json import parse_json
from replicator.oci.tag_schema import cosign_tags, schema_tag
from replicator.registry.calls import Call, pull
from replicator.registry.manifests import Manifests
from replicator.registry.pagination import pages
from replicator.registry.sending import Sender
from replicator.registry.tags import Tags

# In bytes.
_MAX_PAGE_SIZE: Final = 4 * 1024 * 1024
_MOST_REFERRERS: Final = 10_000
# Codes with a 404 that are about the repository or manifest, not about the API.
_ABOUT_CONTENT: Final = frozenset({"NAME_UNKNOWN", "MANIFEST_UNKNOWN", "NOT_FOUND"})


class TagLists:
    """Lists of the tag schema in one repository, shared by all of ours that write there.

    They are read, changed and written back, and the registry has no way to say that somebody
    else did so meanwhile.
    """

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.written: set[Tag] = set()


class Referrers:
    """The referrers in one repository."""

    def __init__(
        self,
        sender: Sender,
        name: RepositoryName,
        *,
        manifests: Manifests,
        tags: Tags,
        lists: TagLists,
    ) -> None:
        self._sender = sender
        self._name = name
        self._manifests = manifests
        self._tags = tags
        self._lists = lists
        self._listed_by_registry: set[tuple[Digest, Digest]] = set()

    async def list(self, subject: Digest) -> tuple[Descriptor, ...]:
        """List the referrers of *subject*."""
        listed = await self._by_api(subject)
        return await self._by_tag(subject) if listed is None else listed

    async def signature_tags(self, subject: Digest) -> tuple[Tag, ...]:
        """Return cosign's tags of *subject* that exist."""
        return tuple([tag for tag in cosign_tags(subject) if await self._exists(tag)])

    def note_answer(self, manifest: Manifest, oci_subject: str) -> None:
        """Remember that the registry took note of a referrer. (distribution-spec, "OCI-Subject")"""
        if manifest.subject is not None and oci_subject:
            self._listed_by_registry.add((manifest.subject.digest, manifest.digest))

    async def announce(self, subject: Digest, referrers: Sequence[Descriptor]) -> None:
        """Make *referrers* findable from *subject*.

        Nothing is to be done where the registry has the API, whether or not it says so in its
        answers: Quay does not.
        """
        known = self._listed_by_registry
        unlisted = [each for each in referrers if (subject, each.digest) not in known]
        if not unlisted or self._sender.knowledge.referrers_api:
            return
        if await self._by_api(subject) is None:
            async with self._lists.lock:
                await self._add_to_tag(schema_tag(subject), unlisted)

    async def _by_api(self, subject: Digest) -> tuple[Descriptor, ...] | None:
        """List by the API; None if there is none here. Whether there is, one of many finds out."""
        knowledge = self._sender.knowledge
        if knowledge.referrers_api is None:
            async with knowledge.trying_referrers:
                if knowledge.referrers_api is None:
                    return await self._ask_api(subject)
        return await self._ask_api(subject) if knowledge.referrers_api else None

    async def _ask_api(self, subject: Digest) -> tuple[Descriptor, ...] | None:
        call = Call(
            RequestKind.REFERRERS,
            "GET",
            f"{self._name.path}/referrers/{subject}",
            str(self._name),
            f"GET referrers/{subject}",
            scopes=(pull(self._name.path),),
            headers=(("Accept", OCI_INDEX),),
            limit=_MAX_PAGE_SIZE,
        )
        try:
            found = await self._read(call)
        except (errors.NotFound, errors.Rejected, errors.NotARegistry) as error:
            return self._without_api(error)
        except (errors.Denied, errors.Unauthorized):
            return None
        self._sender.knowledge.referrers_api = True
        return found

    async def _read(self, call: Call) -> tuple[Descriptor, ...]:
        found: list[Any] = []
        async with aclosing(
            pages(self._sender, call, "manifests", media_type=OCI_INDEX)
        ) as listing:
            async for entries in listing:
                found += entries
                if len(found) > _MOST_REFERRERS:
                    raise errors.RegistryError(
                        f"{self._sender.attempt(call)}: more than {_MOST_REFERRERS} referrers",
                        registry=self._sender.registry,
                    )
        return tuple({each.digest: each for each in map(Descriptor.from_json, found)}.values())

    def _without_api(self, error: errors.RegistryError) -> tuple[Descriptor, ...] | None:
        """Return what a refusal means: nothing found, or no API.

        Quay answers 400 for a manifest that it does not have. Everybody else who has the API
        answers with an empty list.
        """
        knowledge = self._sender.knowledge
        if knowledge.referrers_api:
            return ()
        if _ABOUT_CONTENT.isdisjoint(error.codes):
            knowledge.referrers_api = False
        return None

    async def _by_tag(self, subject: Digest) -> tuple[Descriptor, ...]:
        """List by the tag schema. (distribution-spec, "Referrers Tag Schema")"""
        tag = schema_tag(subject)
        if await self._tags.has(tag) is False:
            return ()
        try:
            index = await self._manifests.get(tag)
        except errors.NotFound:
            return ()
        # Some tools give an image the tag of its own digest: what it lists are its children.
        return () if index.digest == subject or not index.is_index else index.manifests

    async def _exists(self, tag: Tag) -> bool:
        known = await self._tags.has(tag)
        if known is not None:
            return known
        try:
            await self._manifests.resolve(tag)
        except errors.NotFound:
            return False
        return True

    async def _add_to_tag(self, tag: Tag, referrers: Sequence[Descriptor]) -> None:
        """Add *referrers* to the index at *tag*, which is made if it is not there."""
        body = await self._index_at(tag)
        listed = {entry.get("digest") for entry in body["manifests"] if isinstance(entry, dict)}
        new = [_entry(each) for each in referrers if str(each.digest) not in listed]
        if not new:
            return
        body["manifests"] += new
        content = json.dumps(body, separators=(",", ":")).encode()
        self._lists.written.add(tag)
        await self._manifests.put(Manifest.parse(content, OCI_INDEX), tag)
        self._tags.note(tag)

    async def _index_at(self, tag: Tag) -> dict[str, Any]:
        empty = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
        if tag not in self._lists.written and self._tags.was_just_absent(tag):
            return empty
        try:
            manifest = await self._manifests.get(tag)
        except errors.NotFound:
            return empty
        if manifest.media_type != OCI_INDEX:
            raise errors.Rejected(
                f"{self._name}:{tag} should list referrers, but is a {manifest.media_type}",
                registry=self._sender.registry,
            )
        body: dict[str, Any] = parse_json(manifest.content)
        body["manifests"] = body.get("manifests") or []
        return body


def _entry(referrer: Descriptor) -> dict[str, Any]:
    entry = {
        "mediaType": referrer.media_type,
        "digest": str(referrer.digest),
        "size": referrer.size,
    }
    if referrer.artifact_type:
        entry["artifactType"] = referrer.artifact_type
    if referrer.annotations:
        entry["annotations"] = dict(referrer.annotations)
    return entry
