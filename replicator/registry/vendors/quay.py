"""Quay, quay.io and self-hosted: ``/api/v1``, open to OAuth tokens and, for what is public, to all.

A robot has no access to it. Its tags have the digest of what the tag names, an index if it is one.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlencode

from replicator import errors
from replicator.registry.login import Login
from replicator.registry.settings import Credentials
from replicator.registry.tags import Tags
from replicator.registry.vendors.api import Api
from replicator.registry.vendors.vendor import Paths, Row, Rows

_PAGE_SIZE: Final = 100
# The user name that an OAuth token stands behind at the registry.
_OAUTH: Final = "$oauthtoken"


class Quay:
    """Lists the tags of a repository and the repositories of an organisation, 100 a page.

    The newest tags come first, so that a page repeats the last one's when somebody pushes.
    """

    shows_all_tags: Final = True

    def __init__(self, api: Api, host: str, login: Login) -> None:
        self._api = api
        self._host = host
        self._login = login

    async def tags(self, tags: Tags) -> Rows:
        place = f"repository/{quote(tags.name.path)}/tag/?limit={_PAGE_SIZE}&onlyActiveTags=true"
        pages = self._api.pages(
            lambda number: f"{place}&page={number}",
            on=str(tags.name),
            goes_on=lambda page: page.member("has_additional") is True,
        )
        async for page in pages:
            yield [
                Row(each.get("name"), each.get("manifest_digest")) for each in page.entries("tags")
            ]

    async def repositories(self, under: str) -> Paths:
        """List an organisation; without one there is no such listing.

        A listing without rights is an empty success, so an empty one says nothing.
        """
        namespace = under.partition("/")[0]
        if not namespace:
            return
        query = {"namespace": namespace}
        found = False
        while True:
            page = await self._api.get(
                f"repository?{urlencode(query)}", on=f"{self._host}/{namespace}"
            )
            paths = [f"{namespace}/{each.get('name')}" for each in page.entries("repositories")]
            if paths:
                found = True
                yield paths
            token = page.member("next_page")
            if not isinstance(token, str) or token == query.get("next_page"):
                break
            query["next_page"] = token
        if not found:
            raise errors.Denied(
                f"{self._host}/{namespace}: no repository is listed: there is none, or this login "
                "may not see any",
                registry=self._host,
            )

    async def may_hide(self) -> bool:
        """To a robot or a user the API shows what it shows to everybody: public repositories."""
        credentials = await self._login.credentials()
        return credentials is not None and oauth_header(credentials) is None

    async def create(self, path: str) -> bool:
        """Make a private repository; its organisation has to be there."""
        namespace, _, name = path.partition("/")
        on = f"{self._host}/{path}"
        if await self._is_there(path, on):
            return False
        body = {
            "namespace": namespace,
            "repository": name,
            "visibility": "private",
            "description": "",
            "repo_kind": "image",
        }
        try:
            await self._api.post("repository", body, on=on)
        except errors.Rejected:
            # It answers 400 to what somebody else has made meanwhile, as to any other mistake.
            if not await self._is_there(path, on):
                raise
        return True

    async def _is_there(self, path: str, on: str) -> bool:
        try:
            await self._api.get(f"repository/{quote(path)}?includeTags=false", on=on)
        except errors.NotFound:
            return False
        return True


def oauth_header(credentials: Credentials) -> str | None:
    """Return the header of an OAuth token; nothing for the logins that the API refuses."""
    return f"Bearer {credentials.password}" if credentials.username == _OAUTH else None
