"""The screen of tokens: who may ask, made here and shown once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from replicator.api.v1.problems import meaning_of
from replicator.config.values import duration
from replicator.errors import ConfigError, InvalidRequest, ReplicatorError
from replicator.office import TOKENS_TAKE_KEY
from replicator.page.forms import Form, go_to
from replicator.page.labels import labelled
from replicator.page.site import LIMIT, Site, asked
from replicator.page.visitor import Visitor, visitor_of
from replicator.service.access.identity import Role
from replicator.service.access.tokens import TokenDesk

PATH: Final = "/access"
_BETWEEN: Final = re.compile(r"[\s,]+")
_LABELS: Final = {
    "name": "Name",
    "role": "Role",
    "rules": "Rules",
    "expires_in": "Counts for",
}
_EMPTY: Final[Form] = {"name": "", "role": "viewer", "rules": "", "expires_in": "90d"}


class TokenScreen:
    """Shows tokens, makes them, and lets them count no more; for admins of everything."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        return await self._shown(request, visitor_of(request))

    async def create(self, request: Request, visitor: Visitor, form: Form) -> Response:
        """Make a token, and show it for the only time."""
        visitor.identity.require_unlimited(Role.ADMIN)
        try:
            secret, record = await self._desk().create(
                form.get("name", "").strip(),
                _role(form.get("role", "")),
                patterns=_patterns(form.get("rules", "")),
                lifetime=duration(form.get("expires_in", "").strip(), _LABELS["expires_in"]),
            )
        except ReplicatorError as error:
            return await self._shown(request, visitor, form=form, error=error)
        return await self._shown(request, visitor, created=(record.name, secret))

    async def ask_to_revoke(self, request: Request) -> Response:
        visitor_of(request).identity.require_unlimited(Role.ADMIN)
        name = _name(request)
        return self._site.pages.confirm(
            request,
            title=f"Revoke {name}?",
            words="It counts nowhere from then on, nor do sessions that were begun with it. It "
            "stays in the list, as the activity names it, and its name is not given again.",
            button="Revoke the token",
            crumbs=[("Access", PATH)],
        )

    async def revoke(self, request: Request, visitor: Visitor, form: Form) -> Response:
        visitor.identity.require_unlimited(Role.ADMIN)
        await self._desk().revoke(_name(request))
        return go_to(PATH)

    async def _shown(
        self,
        request: Request,
        visitor: Visitor,
        *,
        form: Form = _EMPTY,
        error: ReplicatorError | None = None,
        created: tuple[str, str] | None = None,
    ) -> Response:
        cursor, text = asked(request, "cursor"), asked(request, "text")
        page = await self._site.office.access.tokens(
            visitor.identity, cursor=cursor, limit=LIMIT, text=text
        )
        return self._site.pages.page(
            request,
            "tokens.html",
            200 if error is None else meaning_of(error)[0],
            tokens=page.items,
            next=page.next,
            cursor=cursor,
            text=text,
            roles=tuple(Role),
            form={**_EMPTY, **form},
            error=None if error is None else labelled(error, _LABELS),
            created=created,
            no_key=await self._site.office.why_no_tokens(),
        )

    def _desk(self) -> TokenDesk:
        desk = self._site.office.tokens
        if desk is None:
            raise ConfigError(TOKENS_TAKE_KEY)
        return desk


def _name(request: Request) -> str:
    return str(request.path_params["name"])


def _role(name: str) -> Role:
    try:
        return Role(name)
    except ValueError:
        raise InvalidRequest("choose viewer, operator or admin", field="role") from None


def _patterns(text: str) -> Sequence[str] | None:
    """Return the globs of a form, between spaces or commas; None, for all rules, if it is empty."""
    return [each for each in _BETWEEN.split(text) if each] or None
