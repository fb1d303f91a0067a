"""Routes of credentials: secrets of registries, which come in and never go out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, SecretStr

from replicator.api.v1.access import FromOffice, UnlimitedAdmin
from replicator.api.v1.parameters import (
    USUAL_LIMIT,
    Answer,
    Asked,
    Cursor,
    Limit,
    Listing,
    Name,
)
from replicator.errors import ConfigError
from replicator.oci.reference import canonical_registry
from replicator.office import CREDENTIALS_TAKE_KEY, Office
from replicator.registry.settings import Credentials
from replicator.service.access.credentials import CredentialDesk
from replicator.store.credentials import CredentialRecord

router = APIRouter(tags=["credentials"])

_LONGEST = 64 * 1024


class NewCredential(Asked):
    """A login for one registry: a user name with a password, or an identity token."""

    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]{1,255}$")]
    username: Annotated[str, Field(max_length=1000, pattern=r"^[^\x00-\x1f]*$")] = ""
    password: Annotated[SecretStr, Field(max_length=_LONGEST)] = SecretStr("")
    identity_token: Annotated[SecretStr, Field(max_length=_LONGEST)] = SecretStr("")


class CredentialAnswer(Answer):
    """A credential without its secret. `is_set` is false when that was cleared, as the registry's
    address was changed."""

    name: str
    host: str
    username: str
    is_set: bool
    version: int
    updated_at: datetime

    @classmethod
    def of(cls, record: CredentialRecord) -> CredentialAnswer:
        return cls(
            name=record.name,
            host=record.host,
            username=record.username,
            is_set=record.sealed is not None,
            version=record.version,
            updated_at=record.updated_at,
        )


class CredentialPage(Listing):
    items: list[CredentialAnswer]


@router.get("/credentials", operation_id="listCredentials")
async def list_credentials(
    office: FromOffice, who: UnlimitedAdmin, cursor: Cursor = None, limit: Limit = USUAL_LIMIT
) -> CredentialPage:
    """List credentials by name, without their secrets."""
    page = await office.access.credentials(who, cursor=cursor, limit=limit)
    return CredentialPage(items=list(map(CredentialAnswer.of, page.items)), next=page.next)


@router.put("/credentials/{name}", operation_id="setCredential")
async def set_credential(
    office: FromOffice, who: UnlimitedAdmin, name: Name, new: NewCredential
) -> CredentialAnswer:
    """Keep a login under a name, instead of the one that has it. It takes effect at once.

    A name that is that of a login for another registry is taken: delete that one first.
    """
    secret = Credentials(
        new.username, new.password.get_secret_value(), new.identity_token.get_secret_value()
    )
    record = await _desk(office).put(name, canonical_registry(new.host), secret)
    return CredentialAnswer.of(record)


@router.delete("/credentials/{name}", operation_id="deleteCredential", status_code=204)
async def delete_credential(office: FromOffice, who: UnlimitedAdmin, name: Name) -> None:
    """Forget a credential."""
    await _desk(office).delete(name)


def _desk(office: Office) -> CredentialDesk:
    if office.credentials is None:
        raise ConfigError(CREDENTIALS_TAKE_KEY)
    return office.credentials
