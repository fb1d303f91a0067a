"""RegistrySettings: how one registry is reached, in plain values."""

from __future__ import annotations

import enum
from dataclasses import field
from datetime import timedelta
from pathlib import Path

from replicator.oci.manifest import MAX_MANIFEST_SIZE
from replicator.registry.bandwidth import BandwidthHours
from replicator.values import dataclass


class Cloud(enum.StrEnum):
    """Whose library finds a login; named as the extra that installs it."""

    AWS = "aws"
    GCP = "gcp"
    AZURE = "azure"


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """What requests to an API of AWS are signed with; *session_token* is empty for a user's."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(repr=False, default="")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and a password, or an identity token to be exchanged for access tokens.

    *aws* goes with a login of ECR, for its own API. *entra_token* is from Entra ID, and stands
    for an identity token of Azure's that has yet to be had for it. Never printed: ``repr`` shows
    the user name alone.
    """

    username: str
    password: str = field(repr=False, default="")
    identity_token: str = field(repr=False, default="")
    aws: AwsKeys | None = field(repr=False, default=None)
    entra_token: str = field(repr=False, default="")


@dataclass(frozen=True, slots=True)
class CredentialSource:
    """Where the credentials of one registry come from, as its configuration says.

    One way to log in is set: one of the three to give a password or of the three to give an
    identity token, or *cloud*, or *stored*, the name of one that the database keeps. Environment
    and files are read when the credentials are needed, each time anew, so that a rotated secret
    takes effect without a restart.
    """

    username: str = ""
    password: str = field(repr=False, default="")
    password_env: str = ""
    password_file: Path | None = None
    identity_token: str = field(repr=False, default="")
    identity_token_env: str = ""
    identity_token_file: Path | None = None
    cloud: Cloud | None = None
    stored: str = ""


@dataclass(frozen=True, slots=True)
class Tls:
    """How a registry's certificate is checked, and ours is shown; paths are of PEM files."""

    verify: bool = True
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds. *idle* is the longest silence within a body or before an answer's head;
    *closing* is the same for the request that closes an upload, which a registry on object
    storage answers only after it has moved the blob."""

    connect: float = 15.0
    idle: float = 60.0
    closing: float = 600.0


class Create(enum.StrEnum):
    """What to do about a repository, or its project, that is missing at a destination.

    NEVER: write only to what is there. IF_MISSING: make it, by the vendor's API. ON_PUSH: leave
    it to the registry, which may make it when something is pushed.
    """

    NEVER = "never"
    IF_MISSING = "if-missing"
    ON_PUSH = "on-push"


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """How one registry is reached.

    *name* is its host as references have it (``docker.io``); *endpoint* is where the API is
    served, when that is elsewhere, and *api_endpoint* the same for its vendor's own API. *kind*
    is the profile; empty means: guess. *plain_http* None means: plain for loopback hosts that do
    not speak TLS, never for others. *bandwidth* is in bytes a second, by the hour;
    *requests_per_second* may be 0 for no limit.
    *pull_reserve* is what is left of a limit on pulls. *logins*
    are paths below which another login is used; the keychain has it by the host and the path.
    With *resolve_tags* it may say, as a mirror, what a tag names while the registry itself cannot
    be reached. *pull_through* are paths below which it passes on what another registry has, ``*``
    for all of it.
    """

    name: str
    kind: str = ""
    endpoint: str = ""
    api_endpoint: str = ""
    plain_http: bool | None = None
    tls: Tls = field(default_factory=Tls)
    mirrors: tuple[str, ...] = ()
    resolve_tags: bool = False
    pull_through: tuple[str, ...] = ()
    proxy: str = ""
    max_concurrency: int = 32
    max_blobs: int = 8
    requests_per_second: float = 0
    bandwidth: tuple[BandwidthHours, ...] = ()
    retries: int = 4
    longest_wait: timedelta = timedelta(seconds=60)
    pull_reserve: int = 10
    create: Create = Create.ON_PUSH
    token_origins: tuple[str, ...] = ()
    allowed_networks: tuple[str, ...] = ()
    upload_origins: tuple[str, ...] = ()
    max_manifest_size: int = MAX_MANIFEST_SIZE
    timeouts: Timeouts = field(default_factory=Timeouts)
    logins: tuple[str, ...] = ()

    def passes_on(self, path: str) -> bool:
        """Say whether the repository at *path* is said to be a pull-through cache's."""
        return any(each in ("*", path) or path.startswith(f"{each}/") for each in self.pull_through)
