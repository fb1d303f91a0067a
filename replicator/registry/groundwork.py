"""Groundwork: what has to be there before a repository can be written to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from replicator import errors
from replicator.events import RequestKind
from replicator.oci.reference import RepositoryName
from replicator.registry.calls import Call, pull
from replicator.registry.logins_by_path import LoginsByPath
from replicator.registry.pagination import MAX_PAGE_SIZE
from replicator.registry.sending import Sender
from replicator.registry.settings import Create
from replicator.registry.vendors.choice import Vendors

T = TypeVar("T")

# How registries say that there is no such project or repository: Harbor and ECR 404, Quay by a
# token for nothing, which is then refused.
_MAY_BE_MISSING: Final = (errors.NotFound, errors.Unauthorized, errors.Denied)


class Groundwork:
    """Makes what is missing at a registry, as far as its entry wants that.

    It costs nothing where everything is there: only a refused write makes us look.
    """

    def __init__(self, sender: Sender, authenticator: LoginsByPath, vendors: Vendors) -> None:
        self._sender = sender
        self._authenticator = authenticator
        self._vendors = vendors
        self._present: set[str] = set()
        self._made = 0
        # The count at which a repository was made.
        self._made_for: dict[str, int] = {}
        self._looking = asyncio.Lock()

    async def write(self, name: RepositoryName, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make an *attempt* to write to a repository, and a second one if something was made.

        Raises NotFound if nothing may be made, Denied if we may not make it, Rejected if there
        can be no repository of that name here.
        """
        self._check_name(name)
        create = self._sender.settings.create
        if create is Create.NEVER:
            await self._require(name)
        made = self._made
        try:
            return await attempt()
        except _MAY_BE_MISSING as error:
            if create is not Create.IF_MISSING or not await self._make(name, error, made):
                raise self._with_hint(error) from None
        return await attempt()

    def _check_name(self, name: RepositoryName) -> None:
        """Refuse a name that this kind of registry cannot have, before anything is sent."""
        profile, parts = self._sender.knowledge.profile, name.path.count("/") + 1
        if parts < profile.least_parts or 0 < profile.most_parts < parts:
            wanted = f"{profile.least_parts}{'' if profile.most_parts else ' or more'}"
            reason = f"a path here has {wanted} parts"
        elif profile.plain_names and ("__" in name.path or "--" in name.path):
            reason = "a name here has no two separators side by side"
        else:
            return
        raise errors.Rejected(f"{name}: {reason} ({profile.kind})", registry=name.registry)

    async def _require(self, name: RepositoryName) -> None:
        """Make sure, once, that a repository is there: many registries make it when asked to."""
        async with self._looking:
            if name.path in self._present:
                return
            call = Call(
                RequestKind.TAGS,
                "GET",
                f"{name.path}/tags/list?n=1",
                str(name),
                "GET tags/list",
                scopes=(pull(name.path),),
                limit=MAX_PAGE_SIZE,
            )
            try:
                await self._sender.send(call)
            except errors.NotFound as error:
                raise errors.NotFound(
                    f'{error}; it does not exist, and create = "never"',
                    status=error.status,
                    codes=error.codes,
                    registry=name.registry,
                ) from None
            except (errors.Unauthorized, errors.Denied):
                pass  # Who may only push learns it from the push.
            self._present.add(name.path)

    async def _make(
        self, name: RepositoryName, refusal: errors.RegistryError, made_before: int
    ) -> bool:
        """Make what *name* lacks; say whether writing to it is worth another attempt."""
        creator = self._vendors.creator(self._sender.knowledge.profile, name.path)
        if creator is None:
            return False
        async with self._looking:
            if self._made_for.get(name.path, 0) > made_before:
                return True  # somebody else has made this meanwhile
            try:
                made = await creator.create(name.path)
            except errors.RegistryError as error:
                raise errors.Denied(
                    f"{refusal}; what is missing could not be made: {error}",
                    status=error.status,
                    codes=error.codes,
                    registry=name.registry,
                ) from None
            if made:
                self._made += 1
                self._made_for[name.path] = self._made
                # The token that we have was given for what did not exist.
                self._authenticator.forget_tokens()
            # Harbor's project may have been made meanwhile for another of its repositories.
            return made or self._made > made_before

    def _with_hint(self, error: errors.RegistryError) -> errors.RegistryError:
        creator = self._vendors.creator(self._sender.knowledge.profile)
        wants_none = self._sender.settings.create is not Create.ON_PUSH
        if wants_none or creator is None or not isinstance(error, errors.NotFound):
            return error
        return errors.NotFound(
            f'{error}; create = "if-missing" in its entry makes it',
            status=error.status,
            codes=error.codes,
            registry=error.registry,
        )
