"""Forms that change how registries are reached, as far as the database keeps that."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from replicator.errors import InvalidRequest, NameTaken, RegistryNotFound, ReplicatorError
from replicator.page import registry_text
from replicator.page.forms import Form, go_to
from replicator.page.mistakes import mistake
from replicator.page.rendering import quoted
from replicator.page.site import Site
from replicator.page.visitor import Visitor, visitor_of
from replicator.service.access.identity import Role


class RegistryForms:
    """Lets admins of everything add, change and forget registries."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._desk = site.office.registry_desk

    async def new(self, request: Request) -> Response:
        visitor_of(request).identity.require_unlimited(Role.ADMIN)
        return self._form(request, None, registry_text.NEW)

    async def edit(self, request: Request) -> Response:
        visitor_of(request).identity.require_unlimited(Role.ADMIN)
        name = _name(request)
        settings = await self._desk.settings(name)
        return self._form(request, name, registry_text.write(name, settings))

    async def create(self, request: Request, visitor: Visitor, form: Form) -> Response:
        return await self._put(request, visitor, form, None)

    async def change(self, request: Request, visitor: Visitor, form: Form) -> Response:
        return await self._put(request, visitor, form, _name(request))

    async def ask_to_delete(self, request: Request) -> Response:
        visitor_of(request).identity.require_unlimited(Role.ADMIN)
        name = _name(request)
        await self._desk.settings(name)
        return self._site.pages.confirm(
            request,
            title=f"Delete {name}?",
            words="Its settings are forgotten, and the secret that is kept for it is cleared if it "
            "was reached in another way than usual. Rules that name it stay.",
            button="Delete the registry",
            crumbs=[("Overview", "/"), (name, f"/registries/{quoted(name)}")],
        )

    async def delete(self, request: Request, visitor: Visitor, form: Form) -> Response:
        visitor.identity.require_unlimited(Role.ADMIN)
        name = _name(request)
        cleared = await self._desk.delete(name)
        return self._cleared(request, name, cleared, "/") if cleared else go_to("/")

    async def _put(
        self, request: Request, visitor: Visitor, form: Form, name: str | None
    ) -> Response:
        visitor.identity.require_unlimited(Role.ADMIN)
        text = form.get("text", "")
        try:
            found, settings = registry_text.read(text)
            await self._require_meant(found, name)
            cleared = await self._desk.put(found, settings)
        except ReplicatorError as error:
            return self._form(request, name, text, error=error)
        at = f"/registries/{quoted(found)}"
        return self._cleared(request, found, cleared, at) if cleared else go_to(at)

    async def _require_meant(self, found: str, name: str | None) -> None:
        """Raise an error when the text is of another registry than the form is for."""
        if name is not None:
            if found != name:
                raise InvalidRequest(f"this is about {name}; add {found} by itself", field="name")
            return
        try:
            await self._desk.settings(found)
        except RegistryNotFound:
            return
        raise NameTaken(f"there is a registry {found} already; edit that")

    def _form(
        self, request: Request, name: str | None, text: str, *, error: ReplicatorError | None = None
    ) -> Response:
        return self._site.pages.page(
            request,
            "registry_edit.html",
            200 if error is None else 422,
            name=name,
            text=text,
            mistake=None if error is None else mistake(text, error),
        )

    def _cleared(self, request: Request, name: str, cleared: Sequence[str], back: str) -> Response:
        """Say whose secret nobody has any more, which only this answer tells."""
        return self._site.pages.page(
            request, "registry_cleared.html", name=name, cleared=cleared, back=back
        )


def _name(request: Request) -> str:
    return str(request.path_params["registry"])
