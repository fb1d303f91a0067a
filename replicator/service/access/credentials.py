"""CredentialDesk: takes secrets in, and gives them to nobody but the registry they are for."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Final, Protocol

from replicator.errors import ConfigError, InvalidRequest, StoreError
from replicator.registry.settings import Credentials
from replicator.service.access.sealing import Place, rewrap, seal, unseal
from replicator.service.access.secret_key import SecretKeys
from replicator.store.credentials import CredentialRecord
from replicator.values import dataclass

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}", re.ASCII)
_TABLE: Final = "credential"
_BATCH: Final = 100


class Store(Protocol):
    """Keeps sealed credentials."""

    async def put(self, record: CredentialRecord) -> None: ...

    async def get(self, name: str) -> CredentialRecord: ...

    async def all(self) -> tuple[CredentialRecord, ...]: ...

    async def delete(self, name: str) -> None: ...

    async def sealed_otherwise(
        self, key_id: str, *, limit: int
    ) -> tuple[CredentialRecord, ...]: ...

    async def count_sealed_otherwise(self, key_id: str) -> int: ...

    async def replace_seal(self, record: CredentialRecord, sealed: bytes, key_id: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """How many credentials have a new seal, and how many are left with an older key."""

    done: int
    left: int


class CredentialDesk:
    """Keeps credentials under the secret key of the service."""

    def __init__(self, store: Store, keys: SecretKeys, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock

    async def put(self, name: str, host: str, credentials: Credentials) -> CredentialRecord:
        """Keep a login for the registry *host*, instead of its one of that name if there is one.

        Raises InvalidRequest, and NameTaken where the one of that name is for another registry.
        """
        _check(name, credentials)
        secret = {
            "password": credentials.password,
            "identity_token": credentials.identity_token,
        }
        place, key = Place(_TABLE, name, host), self._keys.current
        sealed = seal(json.dumps(secret).encode(), place, key)
        record = CredentialRecord(
            name, host, credentials.username, sealed, key.id, 0, self._clock()
        )
        await self._store.put(record)
        return await self._store.get(name)

    async def all(self) -> tuple[CredentialRecord, ...]:
        """Return all credentials; what is secret of them is sealed."""
        return await self._store.all()

    async def delete(self, name: str) -> None:
        """Forget a credential. Raises CredentialNotFound."""
        await self._store.delete(name)

    async def reveal(self, name: str, host: str) -> Credentials:
        """Return the login of that name for the registry *host*, for its client alone.

        Raises CredentialNotFound, and ConfigError when it is for another host, was cleared, or
        does not open.
        """
        record = await self._store.get(name)
        if record.host != host:
            raise ConfigError(
                f"{host}: the credential {name!r} is for {record.host}; set one for {host}"
            )
        if record.sealed is None:
            raise ConfigError(
                f"{host}: the secret of the credential {name!r} was cleared when the registry's "
                "address changed; set it again with "
                f"`replicate credential set {name} --host {host}`"
            )
        place = Place(_TABLE, name, host)
        secret = json.loads(unseal(record.sealed, place, record.key_id, self._keys))
        return Credentials(record.username, secret["password"], secret["identity_token"])

    async def rekey(self, progress: Callable[[Rekeyed], None] = lambda _: None) -> Rekeyed:
        """Let the current key close what older ones did; *progress* hears how far it is.

        All goes on meanwhile, as long as the older keys are there, too. Whoever starts again
        after an end in the middle has only the rest to do. Raises ConfigError when a key is gone.
        """
        done, key = 0, self._keys.current
        while found := await self._store.sealed_otherwise(key.id, limit=_BATCH):
            for record in found:
                place = Place(_TABLE, record.name, record.host)
                sealed = rewrap(record.sealed or b"", place, record.key_id, self._keys)
                done += await self._store.replace_seal(record, sealed, key.id)
            progress(Rekeyed(done, await self._store.count_sealed_otherwise(key.id)))
        return Rekeyed(done, await self._store.count_sealed_otherwise(key.id))


class StoredKeychain:
    """The credentials that the entries of registries leave to the database.

    *names* are by registry, or by registry and path, for which a login of the registry is kept
    too; *reveal* looks one up anew each time, so that one that was replaced takes effect at once.
    """

    def __init__(
        self, names: Mapping[str, str], reveal: Callable[[str, str], Awaitable[Credentials]]
    ) -> None:
        self._names = names
        self._reveal = reveal

    async def credentials_for(self, registry: str) -> Credentials | None:
        """Return what is kept for *registry*. Raises ConfigError if it cannot be used."""
        name = self._names.get(registry)
        if name is None:
            return None
        try:
            return await self._reveal(name, registry.partition("/")[0])
        except StoreError as error:
            raise ConfigError(f"{registry}: {error}") from None


def _check(name: str, credentials: Credentials) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            "use up to 100 letters, digits, dots, dashes, colons and underscores", field="name"
        )
    if not credentials.password and not credentials.identity_token:
        raise InvalidRequest("there is no secret in it", field="password")
    if credentials.password and not credentials.username:
        raise InvalidRequest("a password needs a username", field="username")
    if credentials.password and credentials.identity_token:
        raise InvalidRequest(
            "a login has a password or an identity token, not both", field="identity_token"
        )
