"""Routes of tokens: who may ask."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from replicator.api.v1.access import FromOffice, UnlimitedAdmin
from replicator.api.v1.parameters import (
    USUAL_LIMIT,
    Answer,
    Asked,
    Cursor,
    Duration,
    Limit,
    Listing,
    Name,
)
from replicator.config.values import duration
from replicator.errors import ConfigError
from replicator.office import TOKENS_TAKE_KEY, Office
from replicator.service.access.identity import Role
from replicator.service.access.tokens import LIFETIME, TokenDesk
from replicator.store.tokens import TokenRecord

router = APIRouter(tags=["tokens"])


class NewToken(Asked):
    """A token to be made. `rules` are globs of names of rules; null is all there is."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    role: Annotated[str, Field(pattern="^(viewer|operator|admin)$")]
    rules: (
        Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(min_length=1)]
        | None
    ) = None
    expires_in: Annotated[
        Duration | None, Field(description="Such as `30d`; 90 days if it is left out.")
    ] = None


class TokenAnswer(Answer):
    """A token without its secret, which nobody can read back."""

    name: str
    role: str
    rules: list[str] | None
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None

    @classmethod
    def of(cls, record: TokenRecord) -> TokenAnswer:
        return cls(
            name=record.name,
            role=record.role,
            rules=None if record.patterns is None else list(record.patterns),
            created_at=record.created_at,
            expires_at=record.expires_at,
            revoked_at=record.revoked_at,
            used_at=record.used_at,
        )


class CreatedToken(TokenAnswer):
    """A new token; its `secret` is shown this once."""

    secret: str


class TokenPage(Listing):
    items: list[TokenAnswer]


@router.get("/tokens", operation_id="listTokens")
async def list_tokens(
    office: FromOffice, who: UnlimitedAdmin, cursor: Cursor = None, limit: Limit = USUAL_LIMIT
) -> TokenPage:
    """List tokens by name, those included that are over."""
    page = await office.access.tokens(who, cursor=cursor, limit=limit)
    return TokenPage(items=list(map(TokenAnswer.of, page.items)), next=page.next)


@router.post("/tokens", operation_id="createToken", status_code=201)
async def create_token(office: FromOffice, who: UnlimitedAdmin, new: NewToken) -> CreatedToken:
    """Make a token. It is shown in this answer and nowhere else."""
    lifetime = LIFETIME if new.expires_in is None else duration(new.expires_in, "expires_in")
    secret, record = await _desk(office).create(
        new.name, Role(new.role), patterns=new.rules, lifetime=lifetime
    )
    return CreatedToken(secret=secret, **TokenAnswer.of(record).model_dump())


@router.delete("/tokens/{name}", operation_id="revokeToken", status_code=204)
async def revoke_token(office: FromOffice, who: UnlimitedAdmin, name: Name) -> None:
    """Let a token count no more, from the next request on."""
    await _desk(office).revoke(name)


def _desk(office: Office) -> TokenDesk:
    if office.tokens is None:
        raise ConfigError(TOKENS_TAKE_KEY)
    return office.tokens
