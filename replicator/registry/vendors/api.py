"""Api: requests to a vendor's own API, which is JSON and no part of the distribution API."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import httpx

from replicator import errors
from replicator.events import RequestKind
from replicator.oci.strict_json import parse_json
from replicator.registry.answers import Answer, Attempt, not_a_registry
from replicator.registry.calls import Call
from replicator.registry.links import next_link
from replicator.registry.pagination import MAX_PAGE_SIZE, MAX_PAGES
from replicator.registry.sending import Sender
from replicator.values import dataclass

_DONE: Final = frozenset({200, 201, 202, 204})


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: its JSON, and what its headers say of the next one."""

    value: Any
    headers: Mapping[str, str]

    @property
    def has_next(self) -> bool:
        """Whether ``Link`` names a next page."""
        return next_link(self.headers.get("link", "")) is not None

    def entries(self, key: str) -> list[dict[str, Any]]:
        """Return the objects of the list under *key*; of the whole answer if *key* is empty."""
        found = self.member(key) if key else self.value
        if not isinstance(found, list):
            return []
        return [each for each in found if isinstance(each, dict)]

    def member(self, key: str) -> Any:
        """Return what stands under *key*; None where there is no such thing."""
        return self.value.get(key) if isinstance(self.value, dict) else None


class Api:
    """Asks an API below *root* of the origin that *sender* sends to, with *headers* each time."""

    def __init__(
        self, sender: Sender, root: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        self._sender = sender
        self._root = root
        self._headers = headers

    async def get(self, path: str, *, on: str) -> Page:
        """Return the answer to a GET. Raises RegistryError, NotARegistry if it is no JSON."""
        call = replace(await self._call("GET", path, on), limit=MAX_PAGE_SIZE)
        answer = await self._sender.send(call)
        return Page(_json(answer, self._sender.attempt(call)), answer.headers)

    async def exists(self, path: str, *, on: str) -> bool:
        """Say whether a HEAD finds something. Raises RegistryError for other answers than 404."""
        try:
            await self._sender.send(await self._call("HEAD", path, on))
        except errors.NotFound:
            return False
        return True

    async def post(self, path: str, body: Mapping[str, Any], *, on: str) -> Any:
        """Send *body* and return the JSON of the answer, None if it has no body."""
        content = json.dumps(body).encode()
        call = await self._call("POST", path, on)
        headers = (*call.headers, ("Content-Type", "application/json"))
        call = replace(call, headers=headers, content=content, expected=_DONE)
        answer = await self._sender.send(call)
        return _json(answer, self._sender.attempt(call)) if answer.content else None

    async def delete(self, path: str, *, on: str) -> None:
        """Delete what is at *path*. Raises RegistryError, NotFound if there is no such thing."""
        call = await self._call("DELETE", path, on)
        await self._sender.send(replace(call, expected=_DONE))

    async def pages(
        self, path: Callable[[int], str], *, on: str, goes_on: Callable[[Page], bool]
    ) -> AsyncGenerator[Page, None]:
        """Yield pages 1, 2, … as long as the last one says that it *goes_on*."""
        for number in range(1, MAX_PAGES + 1):
            page = await self.get(path(number), on=on)
            yield page
            if not goes_on(page):
                return
        raise _endless(self._sender, on)

    async def _call(self, method: str, path: str, on: str) -> Call:
        await self._sender.settle_scheme()
        place = f"{self._root}/{path}".lstrip("/")
        return Call(
            RequestKind.API,
            method,
            httpx.URL(f"{self._sender.gate.origin}/{place}"),
            on,
            f"{method} {place.partition('?')[0]}",
            headers=(*self._headers, ("Accept", "application/json")),
        )


async def linked_pages(sender: Sender, call: Call) -> AsyncGenerator[Page, None]:
    """Yield the answer to *call*, and those that ``Link`` leads to from there."""
    for _ in range(MAX_PAGES):
        answer = await sender.send(call)
        yield Page(_json(answer, sender.attempt(call)), answer.headers)
        link = next_link(answer.headers.get("link", ""))
        if not link:
            return
        call = replace(call, target=sender.gate.next_page(answer.url, link))
    raise _endless(sender, str(sender.attempt(call)))


def _endless(sender: Sender, what: str) -> errors.RegistryError:
    return errors.RegistryError(
        f"{what}: more than {MAX_PAGES} pages; the listing is not complete",
        registry=sender.registry,
    )


def _json(answer: Answer, attempt: Attempt) -> Any:
    if not answer.complete:
        raise not_a_registry(answer, attempt, f"more than {len(answer.content)} bytes")
    try:
        return parse_json(answer.content)
    except ValueError as error:
        raise not_a_registry(answer, attempt, f"a body that is not JSON ({error})") from None
