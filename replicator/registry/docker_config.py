"""Docker's ``config.json``: logins read from it, and written to it without touching the rest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from replicator.registry.credential_helpers import CredentialHelper
from replicator.registry.docker_file import DockerFile, server_name
from replicator.registry.settings import Credentials


class DockerKeychain:
    """The logins of a Docker configuration file, read each time they are asked for.

    What the file's helper knows comes before what the file holds. A file that is not there holds
    no logins. Helpers get *environment*, or ours if that is None.
    """

    def __init__(self, path: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self._path = path
        self._environment = environment

    async def credentials_for(self, registry: str) -> Credentials | None:
        """Return the login for *registry*. Raises ConfigError for one that cannot be read."""
        file = DockerFile.read(self._path)
        # Helpers know hosts alone; what is for a path of one is in the file.
        if "/" not in registry and (helper := file.helper(registry)):
            program = CredentialHelper(helper, environment=self._environment)
            if (credentials := await program.get(server_name(registry))) is not None:
                return credentials
        return file.login(registry)


def paths_with_logins(path: Path, registry: str) -> tuple[str, ...]:
    """Return the paths of *registry* that the file at *path* has logins for. Raises ConfigError."""
    return DockerFile.read(path).paths(registry)


async def store_login(
    path: Path,
    registry: str,
    credentials: Credentials,
    *,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Keep a login where Docker would: with the helper that the file names, else in the file.

    The rest of the file stays as it is. Raises ConfigError.
    """
    file = DockerFile.read(path)
    if helper := file.helper(registry):
        program = CredentialHelper(helper, environment=environment)
        await program.store(server_name(registry), credentials)
        # What an older login left in the file must not come to light when the helper fails.
        if file.forget(registry):
            file.write()
    else:
        file.keep(registry, credentials)
        file.write()


async def erase_login(
    path: Path, registry: str, *, environment: Mapping[str, str] | None = None
) -> bool:
    """Forget a login, with the helper that the file names and in the file.

    False if there was none. Raises ConfigError.
    """
    file = DockerFile.read(path)
    found = False
    if helper := file.helper(registry):
        program = CredentialHelper(helper, environment=environment)
        found = await program.erase(server_name(registry))
    if file.forget(registry):
        file.write()
        found = True
    return found
