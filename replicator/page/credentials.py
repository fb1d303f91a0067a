"""The screen of credentials: secrets of registries, which come in and never go out."""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from replicator.api.v1.problems import meaning_of
from replicator.errors import ConfigError, InvalidRequest, ReplicatorError
from replicator.oci.reference import canonical_registry
from replicator.office import CREDENTIALS_TAKE_KEY
from replicator.page.forms import Form, go_to
from replicator.page.labels import labelled
from replicator.page.site import LIMIT, Site, asked
from replicator.page.visitor import Visitor, visitor_of
from replicator.registry.settings import Credentials
from replicator.service.access.credentials import CredentialDesk
from replicator.service.access.identity import Role

PATH: Final = "/access/credentials"
_HOST: Final = re.compile(r"[A-Za-z0-9.:_-]{1,255}", re.ASCII)
_LONGEST: Final = 1000
_LABELS: Final = {
    "name": "Name",
    "host": "Registry",
    "username": "User name",
    "password": "Password",
    "identity_token": "Identity token",
}


class CredentialScreen:
    """Shows which credentials there are, sets them, and forgets them; for admins of everything."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        """Show them; the form begins with a name and a host that the address may have."""
        form = {name: asked(request, name) or "" for name in ("name", "host", "username")}
        return await self._shown(request, visitor_of(request), form=form)

    async def put(self, request: Request, visitor: Visitor, form: Form) -> Response:
        visitor.identity.require_unlimited(Role.ADMIN)
        try:
            await self._desk().put(form.get("name", "").strip(), _host(form), _login(form))
        except ReplicatorError as error:
            # What is secret of it is not sent back: it has to be entered once more.
            return await self._shown(request, visitor, form=form, error=error)
        return go_to(PATH)

    async def ask_to_delete(self, request: Request) -> Response:
        visitor_of(request).identity.require_unlimited(Role.ADMIN)
        name = _name(request)
        return self._site.pages.confirm(
            request,
            title=f"Delete {name}?",
            words="Runs that need it fail from then on, until one of that name is set again.",
            button="Delete the credential",
            crumbs=[("Access", "/access"), ("Credentials", PATH)],
        )

    async def delete(self, request: Request, visitor: Visitor, form: Form) -> Response:
        visitor.identity.require_unlimited(Role.ADMIN)
        await self._desk().delete(_name(request))
        return go_to(PATH)

    async def _shown(
        self,
        request: Request,
        visitor: Visitor,
        *,
        form: Form,
        error: ReplicatorError | None = None,
    ) -> Response:
        cursor = asked(request, "cursor")
        page = await self._site.office.access.credentials(
            visitor.identity, cursor=cursor, limit=LIMIT
        )
        return self._site.pages.page(
            request,
            "credentials.html",
            200 if error is None else meaning_of(error)[0],
            credentials=page.items,
            next=page.next,
            cursor=cursor,
            form={name: form.get(name, "") for name in ("name", "host", "username")},
            error=None if error is None else labelled(error, _LABELS),
            no_key="" if self._site.office.credentials else CREDENTIALS_TAKE_KEY,
        )

    def _desk(self) -> CredentialDesk:
        desk = self._site.office.credentials
        if desk is None:
            raise ConfigError(CREDENTIALS_TAKE_KEY)
        return desk


def _name(request: Request) -> str:
    return str(request.path_params["name"])


def _host(form: Form) -> str:
    host = form.get("host", "").strip()
    if not _HOST.fullmatch(host):
        raise InvalidRequest("write the registry as references have it: HOST[:PORT]", field="host")
    return canonical_registry(host)


def _login(form: Form) -> Credentials:
    username = form.get("username", "").strip()
    if len(username) > _LONGEST or not username.isprintable():
        raise InvalidRequest("that is no user name", field="username")
    return Credentials(username, form.get("password", ""), form.get("identity_token", ""))
