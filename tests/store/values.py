"""Small true values for tests of the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.observation import Published
from replicator.planning.plan import Decision
from replicator.planning.rule import Rule
from replicator.store.records import ActionRecord

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ALPINE = RepositoryName("registry.example.com", "hub/alpine")
DEBIAN = RepositoryName("registry.example.com", "hub/debian")


def a_rule(name: str = "base-images") -> Rule:
    return Rule(name, "docker.io/library/alpine", ("registry.example.com/hub/{name}",))


def published(tag: str = "3.20", content: bytes = b"image", **changes: object) -> Published:
    digest = Digest.of(content)
    row = Published(
        destination=ALPINE,
        tag=Tag(tag),
        source=f"docker.io/library/alpine:{tag}",
        source_digest=digest,
        digest=digest,
        rule="base-images",
        published_at=NOON,
        confirmed_at=NOON,
        run="20260314-120000-00000000",
        sequence=1,
    )
    return replace(row, **changes)


def blob(content: bytes) -> Descriptor:
    return Descriptor("application/octet-stream", Digest.of(content), len(content))


def an_action(tag: str = "3.20", **changes: object) -> ActionRecord:
    action = ActionRecord(ALPINE, Tag(tag), Decision.COPY, "not there yet", f"a.io/b:{tag}")
    return replace(action, **changes)
