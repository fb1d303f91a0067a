"""References by Docker's rules: repository names, tags, and both together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Self, TypeAlias

from replicator.errors import InvalidReference
from replicator.oci.digest import Digest
from replicator.values import dataclass

DOCKER_HUB: Final = "docker.io"
DEFAULT_TAG: Final = "latest"
# Stands where a registry's host stands, for repositories that are image layouts on disk.
LAYOUT: Final = "oci:"

_HUB_ALIASES: Final = frozenset(
    {"index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}
)
# distribution-spec, "Pulling manifests": <name> and <reference>.
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", re.ASCII
)
_MAX_NAME: Final = 255
_IMAGE_ID: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Tag(str):
    """A name for a manifest that may be moved; 1 to 128 characters. Raises InvalidReference."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not _TAG.fullmatch(text):
            raise InvalidReference(f"{text[:140]!r} is not a tag")
        return super().__new__(cls, text)


ManifestRef: TypeAlias = Tag | Digest


@dataclass(frozen=True, slots=True, order=True)
class RepositoryName:
    """A repository: a registry's host and a path, or ``oci:`` and a folder.

    ``registry`` is in lower case and ``docker.io`` for every name of Docker Hub.
    """

    registry: str
    path: str

    def __post_init__(self) -> None:
        if self.is_layout:
            if not self.path:
                raise InvalidReference("oci: needs a path")
            return
        if not _HOST.fullmatch(self.registry):
            raise InvalidReference(f"{self.registry!r} is not a registry host")
        if not _PATH.fullmatch(self.path):
            hint = "; repository names are lower case" if self.path != self.path.lower() else ""
            raise InvalidReference(f"{self.path[:300]!r} is not a repository name{hint}")
        if len(self.registry) + 1 + len(self.path) > _MAX_NAME:
            raise InvalidReference(f"{self} is longer than {_MAX_NAME} characters")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a repository without tag or digest. Raises InvalidReference."""
        reference = Reference.parse(text)
        if reference.tag or reference.digest:
            raise InvalidReference(f"{text!r} names a tag or digest; only a repository fits here")
        return cls(reference.repository.registry, reference.repository.path)

    @property
    def is_layout(self) -> bool:
        return self.registry == LAYOUT

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit("/", 1)[-1]

    def __str__(self) -> str:
        return f"{LAYOUT}{self.path}" if self.is_layout else f"{self.registry}/{self.path}"


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """A repository with a tag, a digest, both or neither.

    With both, the digest decides what is read and the tag is a label.
    """

    repository: RepositoryName
    tag: Tag | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``[host[:port]/]path[:tag][@digest]``, or ``oci:PATH[:tag]``.

        ``ubuntu`` is ``docker.io/library/ubuntu``. No tag stays None: what that means depends
        on who asks. Raises InvalidReference, InvalidDigest.
        """
        if not text or text != text.strip():
            raise InvalidReference(f"{text!r} is not a reference")
        if text.startswith(LAYOUT):
            return cls._parse_layout(text)
        if "://" in text:
            raise InvalidReference(f"{text!r} has a scheme; write host/path, without https://")
        name, _, digest = text.partition("@")
        name, tag = _split_tag(name)
        try:
            repository, named = _parse_name(name), None if tag is None else Tag(tag)
        except InvalidReference as error:
            raise InvalidReference(f"{text!r} is no reference: {error}") from None
        return cls(repository, named, Digest.parse(digest) if "@" in text else None)

    @classmethod
    def _parse_layout(cls, text: str) -> Self:
        path, _, digest = text.removeprefix(LAYOUT).partition("@")
        folder, tag = _split_tag(path)
        return cls(
            RepositoryName(LAYOUT, str(Path(folder)) if folder else ""),
            None if tag is None else Tag(tag),
            Digest.parse(digest) if "@" in text else None,
        )

    @property
    def manifest(self) -> ManifestRef:
        """What to ask the registry for; ``latest`` when neither tag nor digest is given."""
        return self.digest or self.tag or Tag(DEFAULT_TAG)

    def __str__(self) -> str:
        tag = "" if self.tag is None else f":{self.tag}"
        digest = "" if self.digest is None else f"@{self.digest}"
        return f"{self.repository}{tag}{digest}"


def canonical_registry(host: str) -> str:
    """Return *host* in lower case, and ``docker.io`` for the other names of Docker Hub."""
    host = host.lower()
    return DOCKER_HUB if host in _HUB_ALIASES else host


def _split_tag(name: str) -> tuple[str, str | None]:
    """Cut a tag off: what follows a colon after the last slash."""
    head, colon, tail = name.rpartition(":")
    if not colon or "/" in tail:
        return name, None
    return head, tail


def _parse_name(name: str) -> RepositoryName:
    host, slash, path = name.partition("/")
    if not slash or not looks_like_host(host):
        host, path = DOCKER_HUB, name
    registry = canonical_registry(host)
    if registry == DOCKER_HUB and "/" not in path:
        if _IMAGE_ID.fullmatch(path):
            raise InvalidReference(f"{path} is an image id, not a repository")
        path = f"library/{path}"
    return RepositoryName(registry, path)


def looks_like_host(text: str) -> bool:
    return "." in text or ":" in text or text == "localhost" or text != text.lower()
