"""AccessViews: who may ask, by what, and which secrets are kept; for those who see to that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from replicator.service.access.identity import Identity, Role
from replicator.service.access.page_sessions import OpenSession
from replicator.service.views.paging import Page, page_by_name
from replicator.store.credentials import CredentialRecord
from replicator.store.tokens import TokenRecord


class AccessViews:
    """Shows tokens, credentials and sessions a page at a time; of none of them the secret.

    All raise AccessDenied for who is no admin of everything.
    """

    def __init__(
        self,
        tokens: Callable[[], Awaitable[Sequence[TokenRecord]]],
        credentials: Callable[[], Awaitable[Sequence[CredentialRecord]]],
        sessions: Callable[[], Awaitable[Sequence[OpenSession]]],
    ) -> None:
        self._tokens = tokens
        self._credentials = credentials
        self._sessions = sessions

    async def tokens(
        self, who: Identity, *, cursor: str | None, limit: int, text: str | None = None
    ) -> Page[TokenRecord]:
        """Return tokens by name, those included that are over; *text* is a part of the name."""
        who.require_unlimited(Role.ADMIN)
        found = [each for each in await self._tokens() if text is None or text in each.name]
        return page_by_name(sorted(found, key=_name), cursor, limit, _name)

    async def credentials(
        self, who: Identity, *, cursor: str | None, limit: int
    ) -> Page[CredentialRecord]:
        """Return credentials by name."""
        who.require_unlimited(Role.ADMIN)
        found = sorted(await self._credentials(), key=_name)
        return page_by_name(found, cursor, limit, _name)

    async def sessions(self, who: Identity, *, cursor: str | None, limit: int) -> Page[OpenSession]:
        """Return the sessions of the page that count, by whose they are."""
        who.require_unlimited(Role.ADMIN)
        return page_by_name(sorted(await self._sessions(), key=_whose), cursor, limit, _whose)


def _name(record: TokenRecord | CredentialRecord) -> str:
    return record.name


def _whose(session: OpenSession) -> str:
    return f"{session.record.subject} {session.id}"
