"""Docker Hub: the management API at hub.docker.com, an origin and a login of its own.

Its tags have the digest of what the tag names, an index if it is one. Nothing here counts as a
pull.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Final
from urllib.parse import quote

import httpx

from replicator.registry.answers import Attempt, error_of, json_object, not_a_registry
from replicator.registry.exchange import Send, exchange
from replicator.registry.gate import Gate
from replicator.registry.login import Login
from replicator.registry.retry import Clock, asked_wait
from replicator.registry.scopes import Scope
from replicator.registry.settings import Credentials
from replicator.registry.tags import Tags
from replicator.registry.vendors.api import Api, Page
from replicator.registry.vendors.vendor import Paths, Row, Rows

_PAGE_SIZE: Final = 100
# In seconds. Its tokens live for ten minutes.
_TOKEN_LIFE: Final = 540.0
_FRESH: Final = 30.0


class DockerHub:
    """Lists the tags of a repository, and the repositories of a namespace, 100 a page."""

    shows_all_tags: Final = True

    def __init__(self, api: Api) -> None:
        self._api = api

    async def tags(self, tags: Tags) -> Rows:
        namespace, _, name = tags.name.path.partition("/")
        place = f"namespaces/{quote(namespace)}/repositories/{quote(name, safe='')}/tags"
        async for page in self._pages(place, on=str(tags.name)):
            yield [Row(each.get("name"), each.get("digest")) for each in page.entries("results")]

    async def repositories(self, under: str) -> Paths:
        namespace = under.partition("/")[0]
        if not namespace:
            return  # There is no list of everything.
        place = f"namespaces/{quote(namespace)}/repositories"
        async for page in self._pages(place, on=f"docker.io/{namespace}"):
            yield [f"{namespace}/{each.get('name')}" for each in page.entries("results")]

    async def delete_tag(self, path: str, tag: str) -> None:
        """Delete a tag, for which the login has to be the owner's or a token that may delete."""
        place = f"repositories/{quote(path)}/tags/{quote(tag, safe='')}/"
        await self._api.delete(place, on=f"docker.io/{path}:{tag}")

    def _pages(self, place: str, *, on: str) -> AsyncGenerator[Page, None]:
        return self._api.pages(
            lambda number: f"{place}?page={number}&page_size={_PAGE_SIZE}",
            on=on,
            goes_on=lambda page: bool(page.member("next")),
        )


class HubLogin:
    """Exchanges the registry's login for a token of the management API, and renews it.

    It is an Authorizer. Without a login, or with an identity token alone, which this API does not
    know, requests are anonymous.
    """

    def __init__(self, gate: Gate, login: Login, send: Send, *, clock: Clock) -> None:
        self._gate = gate
        self._login = login
        self._send = send
        self._clock = clock
        self._token = ""
        self._version = -1
        self._until = float("-inf")
        self._renewing = asyncio.Lock()

    async def authorization(self, scopes: tuple[Scope, ...]) -> str | None:
        credentials = await self._login.credentials()
        if credentials is None or not credentials.password:
            return None
        async with self._renewing:
            now = self._clock.monotonic()
            if self._version != self._login.version or now >= self._until:
                self._token = await self._exchange(credentials)
                self._version, self._until = self._login.version, now + _TOKEN_LIFE
        return f"Bearer {self._token}"

    async def challenged(
        self, url: httpx.URL, headers: httpx.Headers, scopes: tuple[Scope, ...], used: str | None
    ) -> bool:
        """Get another token if this one is not fresh: it may have ended before its time."""
        is_fresh = self._until - self._clock.monotonic() > _TOKEN_LIFE - _FRESH
        if used is None or is_fresh:
            return False
        self._until = float("-inf")
        return True

    async def denied(self, scopes: tuple[Scope, ...], used: str | None) -> bool:
        return False

    async def _exchange(self, credentials: Credentials) -> str:
        attempt = Attempt(self._gate.registry, self._gate.registry, "a token of its API")
        content = {"identifier": credentials.username, "secret": credentials.password}
        request = httpx.Request(
            "POST",
            f"{self._gate.origin}/v2/auth/token",
            content=json.dumps(content).encode(),
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
        )
        answer = await exchange(self._send, self._gate, request, attempt)
        if answer.status == 401:
            await self._login.refuse(credentials)
        if answer.status != 200:
            asked = asked_wait(answer.headers, self._clock.now())
            raise error_of(answer, attempt, retry_after=asked)
        token = json_object(answer, attempt).get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise not_a_registry(answer, attempt, "JSON that holds no token")
        self._login.accept(credentials)
        return token
