"""A repository as tests fill and read it, without a line of the subject."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.support.address import Address
from tests.support.media_types import MANIFESTS, OCI
from tests.support.plain_http import Answer, PlainClient

_ANY_MANIFEST = {"Accept": MANIFESTS}
_BINARY = {"Content-Type": "application/octet-stream"}


@dataclass(frozen=True, slots=True)
class Pushed:
    """What was pushed: the descriptor by which others name it."""

    media_type: str
    digest: str
    size: int

    def json(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


class PlainRepository:
    """One repository of a registry, as a context manager that holds a connection."""

    def __init__(self, address: Address, path: str) -> None:
        self.address = address
        self.path = path
        self._client = PlainClient(address)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def put_blob(self, content: bytes, media_type: str) -> Pushed:
        pushed = Pushed(media_type, digest_of(content), len(content))
        upload = self._start_upload()
        self._client.ask(
            "PUT", _closing(upload, pushed.digest), content, headers=_BINARY, expect=201
        )
        return pushed

    def stream_blob(self, pieces: Iterable[bytes], media_type: str) -> Pushed:
        """Upload a blob that is never whole in memory."""
        hashed = _Hashed(pieces)
        upload = self._start_upload()
        sent = self._client.ask("PATCH", upload, hashed, headers=_BINARY, expect=202)
        self._client.ask("PUT", _closing(_location(sent), hashed.digest), expect=201)
        return Pushed(media_type, hashed.digest, hashed.size)

    def leave_upload(self, content: bytes) -> str:
        """Send bytes into an upload that stays open, and return where it goes on."""
        sent = self._client.ask("PATCH", self._start_upload(), content, headers=_BINARY, expect=202)
        return _location(sent)

    def put_manifest(self, document: dict[str, Any], tag: str | None = None) -> Pushed:
        """Push a manifest or index under *tag*, or else by digest, in the type it says it has.

        A registry that does not know what a subject is, is told so by the fallback tag.
        """
        content = json.dumps(document, separators=(",", ":")).encode()
        pushed = Pushed(document["mediaType"], digest_of(content), len(content))
        answer = self._client.ask(
            "PUT",
            self._uri(f"manifests/{tag or pushed.digest}"),
            content,
            headers={"Content-Type": pushed.media_type},
            expect=201,
        )
        if "subject" in document and "oci-subject" not in answer.headers:
            self._add_to_fallback_tag(document, pushed)
        return pushed

    def manifest(self, reference: str) -> bytes:
        """Read the exact bytes of a manifest or index, by tag or digest."""
        uri = self._uri(f"manifests/{reference}")
        return self._client.ask("GET", uri, headers=_ANY_MANIFEST, expect=200).body

    def digest(self, reference: str) -> str | None:
        """Compute what a tag names now; None if it is not there."""
        uri = self._uri(f"manifests/{reference}")
        answer = self._client.ask("GET", uri, headers=_ANY_MANIFEST)
        return digest_of(answer.body) if answer.status == 200 else None

    def blob(self, digest: str) -> bytes:
        return self._client.ask("GET", self._uri(f"blobs/{digest}"), expect=200).body

    def has_blob(self, digest: str) -> bool:
        return self._client.ask("HEAD", self._uri(f"blobs/{digest}")).status == 200

    def tags(self) -> list[str]:
        """List all tags, page after page; none if there is no such repository."""
        tags: list[str] = []
        page: str | None = self._uri("tags/list?n=1000")
        while page is not None:
            answer = self._client.ask("GET", page)
            if answer.status == 404:
                return []
            tags += json.loads(answer.body)["tags"] or []
            page = _next_page(answer)
        return tags

    def referrers(self, digest: str) -> list[dict[str, Any]]:
        """List the descriptors of what names *digest* as its subject."""
        answer = self._client.ask("GET", self._uri(f"referrers/{digest}"))
        known = answer.status == 200
        index = json.loads(answer.body) if known else self._fallback_index(digest)
        referrers: list[dict[str, Any]] = index["manifests"]
        return referrers

    def delete(self, digest: str) -> None:
        """Delete a manifest or index, and with it every tag that names it."""
        self._client.ask("DELETE", self._uri(f"manifests/{digest}"), expect=202)

    def delete_blob(self, digest: str) -> None:
        self._client.ask("DELETE", self._uri(f"blobs/{digest}"), expect=202)

    def _uri(self, target: str) -> str:
        return f"/v2/{self.path}/{target}"

    def _start_upload(self) -> str:
        return _location(self._client.ask("POST", self._uri("blobs/uploads/"), expect=202))

    def _add_to_fallback_tag(self, document: dict[str, Any], referrer: Pushed) -> None:
        subject = document["subject"]["digest"]
        index = self._fallback_index(subject)
        entry = referrer.json() | {"artifactType": artifact_type(document)}
        self.put_manifest(
            index | {"manifests": [*index["manifests"], entry]}, fallback_tag(subject)
        )

    def _fallback_index(self, subject: str) -> dict[str, Any]:
        uri = self._uri(f"manifests/{fallback_tag(subject)}")
        answer = self._client.ask("GET", uri, headers=_ANY_MANIFEST)
        empty: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI.index, "manifests": []}
        return json.loads(answer.body) if answer.status == 200 else empty


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def fallback_tag(digest: str) -> str:
    """Name the tag that lists referrers. (distribution-spec, "Referrers Tag Schema")"""
    return digest.replace(":", "-")


def artifact_type(document: dict[str, Any]) -> str:
    """Say what kind of artifact a manifest is. (distribution-spec, "Listing Referrers")"""
    kind: str = document.get("artifactType") or document["config"]["mediaType"]
    return kind


class _Hashed:
    """Pieces that are counted and hashed as they pass."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._hash.update(piece)
            self.size += len(piece)
            yield piece


def _location(answer: Answer) -> str:
    location = urlsplit(answer.headers["location"])
    return f"{location.path}?{location.query}"


def _closing(upload: str, digest: str) -> str:
    path, _, query = upload.partition("?")
    return f"{path}?{query}&digest={digest}" if query else f"{path}?digest={digest}"


def _next_page(answer: Answer) -> str | None:
    link = re.match(r'<([^>]*)>; *rel="?next"?', answer.headers.get("link", ""))
    if link is None:
        return None
    target = urlsplit(link[1])
    return f"{target.path}?{target.query}"
