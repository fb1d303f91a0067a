"""Config: all that a user has said. Each default is written once, on its field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from replicator.config.values import Listen
from replicator.planning.rule import Rule
from replicator.registry.settings import CredentialSource, RegistrySettings
from replicator.values import dataclass

if TYPE_CHECKING:
    from replicator.notify.settings import Channel
    from replicator.oidc.settings import OidcSettings

# Whoever wants to be asked from outside has to say so.
_LOOPBACK: Final = Listen("127.0.0.1", 8080)


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """What is said once for everything.

    What the ledger knows of a destination is believed for *confirm_after*; *confirm_share* is
    the part of the tags that each run confirms all the same. *concurrency* is how many tags are
    worked on at once. *docker_config*: whether the logins that Docker keeps count. A service
    answers questions about it on *listen*, and lets copies end within *grace* before it stops. It
    forgets runs that are older than *keep_history*, or behind the newest *keep_runs* of a rule.
    *secret_key_file* has what tokens are hashed with and credentials are sealed with. *oidc* is
    where people sign in at the page, other than by a token.
    """

    database: str = "sqlite:///replicator.db"
    confirm_after: timedelta = timedelta(hours=24)
    confirm_share: float = 0.0
    concurrency: int = 32
    docker_config: bool = True
    listen: Listen = _LOOPBACK
    grace: timedelta = timedelta(seconds=25)
    keep_history: timedelta = timedelta(days=90)
    keep_runs: int = 1000
    secret_key_file: Path | None = None
    oidc: OidcSettings | None = None


@dataclass(frozen=True, slots=True)
class RegistryEntry:
    """How one registry is reached, and where its credentials come from, if the file says so.

    *logins* are other credentials, by the path below which they are used. Its notices show a
    secret that *webhook_secret_file* has, one a line, or *webhook_secret_env*.
    """

    settings: RegistrySettings
    credential: CredentialSource | None = None
    webhook_secret_file: Path | None = None
    webhook_secret_env: str = ""
    logins: Mapping[str, CredentialSource] = field(default_factory=dict)

    @property
    def login(self) -> str:
        """Say whose credentials are used; never what they are."""
        source = self.credential
        if source is None:
            return "docker"
        if source.cloud is not None:
            return source.cloud.value
        return source.stored or source.username or "identity token"


@dataclass(frozen=True, slots=True)
class Config:
    """All settings. *path* is the file they come from; None when there is none.

    *registries* are by the name that references have, such as ``docker.io``. *rules* are as the
    file has them: whether their patterns make sense is checked where rules are kept. *channels*
    are over which a service tells people of them.
    """

    path: Path | None = None
    service: ServiceSettings = field(default_factory=ServiceSettings)
    registries: Mapping[str, RegistryEntry] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    channels: tuple[Channel, ...] = ()
