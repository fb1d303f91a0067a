"""Trials: requests that show how a registry behaves, where ordinary ones do not."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final
from urllib.parse import quote

import httpx

from replicator.events import RequestKind
from replicator.oci import media_types
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.registry.answers import Answer
from replicator.registry.calls import Body, Call, pull, push
from replicator.registry.claims import claims_of
from replicator.registry.links import next_link
from replicator.registry.logins_by_path import LoginsByPath
from replicator.registry.pagination import MAX_PAGE_SIZE
from replicator.registry.sending import Sender

# In bytes, of each blob that is sent; half of one is a chunk.
_SIZE: Final = 32
_CHUNKED: Final = ("Transfer-Encoding", "chunked")
_OCTETS: Final = ("Content-Type", "application/octet-stream")
# Whatever it answers tells something, but for the refusals of a login and of haste.
_ANY: Final = frozenset(range(200, 500)) - {401, 403, 429}


class Trials:
    """Tries one repository. Those that write leave blobs behind that nothing refers to."""

    def __init__(self, sender: Sender, authenticator: LoginsByPath, name: RepositoryName) -> None:
        self._sender = sender
        self._authenticator = authenticator
        self._name = name
        self._pull, self._push = (pull(name.path),), (push(name.path),)

    async def missing_actions(self, *, writes: bool) -> tuple[str, ...] | None:
        """Return what a token lacks of what was asked for, None where it does not say.

        Quay makes a repository for whoever asks to push, so that is asked for to write alone.
        """
        (wanted,) = self._push if writes else self._pull
        header = await self._authenticator.authorization((wanted,)) or ""
        granted = _granted(header.removeprefix("Bearer "), self._name.path)
        if granted is None or "*" in granted:
            return None if granted is None else ()
        return tuple(action for action in wanted.actions if action not in granted)

    async def conditional(self, tag: Tag, digest: Digest) -> bool:
        """Say whether 304 is the answer to a digest that is known."""
        accept = tuple(("Accept", each) for each in media_types.MANIFEST_TYPES)
        call = self._call("HEAD", f"manifests/{tag}", RequestKind.MANIFEST_HEAD)
        headers = (*accept, ("If-None-Match", f'"{digest}"'))
        return (await self._sender.send(replace(call, headers=headers))).status == 304

    async def paged(self) -> bool | None:
        """Say whether one tag is listed when one is asked for; None if there are not two."""
        call = self._call("GET", "tags/list?n=1", RequestKind.TAGS)
        answer = await self._sender.send(replace(call, limit=MAX_PAGE_SIZE))
        try:
            tags = json.loads(answer.content)["tags"] or ()
        except (ValueError, KeyError, TypeError):
            return None
        if len(tags) < 2:
            return True if next_link(answer.headers.get("link", "")) else None
        return False

    async def single_request(self) -> bool:
        """Say whether a blob goes in the POST that begins its upload."""
        content = secrets.token_bytes(_SIZE)
        digest = quote(str(Digest.of(content)), safe="")
        call = self._call("POST", f"blobs/uploads/?digest={digest}", RequestKind.UPLOAD)
        answer = await self._sender.send(replace(call, headers=(_OCTETS,), content=content))
        return answer.status == 201 and await self._has(content)

    async def streamed(self) -> bool:
        """Say whether a blob goes in one PATCH whose length is not told."""
        content = secrets.token_bytes(_SIZE)
        opened = await self._open()
        call = self._call("PATCH", self._place(opened), RequestKind.UPLOAD)
        answer = await self._sender.send(
            replace(call, headers=(_OCTETS, _CHUNKED), body=_Once(content))
        )
        return await self._close(answer, opened, content)

    async def in_chunks(self) -> tuple[bool, bool]:
        """Say whether two PATCHes make a blob, and whether the session tells what it has."""
        content, half = secrets.token_bytes(_SIZE), _SIZE // 2
        opened = answer = await self._open()
        resumed = False
        for start in (0, half):
            headers = (_OCTETS, ("Content-Range", f"{start}-{start + half - 1}"))
            call = self._call("PATCH", self._place(answer, opened), RequestKind.UPLOAD)
            part = content[start : start + half]
            answer = await self._sender.send(replace(call, headers=headers, content=part))
            if answer.status >= 300:
                return False, False
            if not start:
                status = self._call("GET", self._place(answer, opened), RequestKind.UPLOAD)
                told = await self._sender.send(status)
                bias = self._sender.knowledge.profile.offset_bias
                end = told.headers.get("range", "").removeprefix("bytes=").partition("-")[2]
                resumed = told.status in (200, 204) and end == str(half - 1 + bias)
                if told.headers.get("location"):
                    answer = told
        return await self._close(answer, opened, content), resumed

    async def _open(self) -> Answer:
        return await self._sender.send(self._call("POST", "blobs/uploads/", RequestKind.UPLOAD))

    async def _close(self, answer: Answer, opened: Answer, content: bytes) -> bool:
        if answer.status >= 300:
            return False
        place = self._place(answer, opened)
        digest = quote(str(Digest.of(content)), safe="")
        query = b"&".join(filter(None, (place.query, f"digest={digest}".encode())))
        call = self._call("PUT", place.copy_with(query=query), RequestKind.UPLOAD)
        await self._sender.send(call)
        return await self._has(content)

    async def _has(self, content: bytes) -> bool:
        """Say whether a blob is there, and whole: GHCR was seen to keep the last part alone."""
        call = self._call("HEAD", f"blobs/{Digest.of(content)}", RequestKind.BLOB_HEAD)
        answer = await self._sender.send(call)
        length = answer.headers.get("content-length", str(len(content)))
        return answer.status == 200 and length == str(len(content))

    def _place(self, answer: Answer, opened: Answer | None = None) -> httpx.URL:
        """Return where a session goes on; some name that but once."""
        for each in (answer, opened):
            if each is not None and (location := each.headers.get("location")):
                return self._sender.gate.upload_location(each.url, location)
        return answer.url

    def _call(self, method: str, place: str | httpx.URL, kind: RequestKind) -> Call:
        target = f"{self._name.path}/{place}" if isinstance(place, str) else place
        reads = method in ("GET", "HEAD") and isinstance(place, str)
        return Call(
            kind,
            method,
            target,
            str(self._name),
            f"{method} to try it",
            scopes=self._pull if reads else self._push,
            expected=_ANY,
        )


class _Once(Body):
    """A body without a length."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content


def _granted(token: str, path: str) -> frozenset[str] | None:
    """Return the actions on *path* that a token says it is good for, None if it cannot be read."""
    try:
        entries = [each for each in claims_of(token)["access"] or () if each["name"] == path]
        return frozenset(action for each in entries for action in each.get("actions") or ())
    except (KeyError, TypeError, AttributeError):
        return None
