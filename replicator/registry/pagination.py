"""Pagination: listings, followed to their end or to an error, and never in a circle."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import httpx

from replicator import errors
from replicator.registry.answers import Answer, json_object, not_a_registry
from replicator.registry.calls import Call
from replicator.registry.links import next_link
from replicator.registry.profile import Paging
from replicator.registry.sending import Sender

Name = TypeVar("Name", bound=str)

MAX_PAGES: Final = 10_000
MAX_NAMES: Final = 1_000_000
# In bytes: distribution 2 has one page for everything.
MAX_PAGE_SIZE: Final = 16 * 1024 * 1024
# What is asked for when a registry says that a page is too large. Quay answered 413 above 100.
_SMALLER_PAGES: Final = (100, 50)


async def names(
    sender: Sender, call: Call, key: str, parse: Callable[[str], Name], *, page_size: int
) -> AsyncGenerator[tuple[Name, ...], None]:
    """List names page by page, each once; *call* asks for them and *key* is where they stand.

    What *parse* refuses with InvalidReference is left out and counted in one warning: Nexus lists
    nulls, Artifactory digests. An error in the middle means that the listing is incomplete.
    """
    seen: set[Name] = set()
    dropped = 0
    async with aclosing(pages(sender, call, key, page_size=page_size)) as listing:
        async for entries in listing:
            valid = [name for name in map(_parser(parse), entries) if name is not None]
            dropped += len(entries) - len(valid)
            new = tuple(name for name in dict.fromkeys(valid) if name not in seen)
            seen.update(new)
            if len(seen) > MAX_NAMES:
                raise _endless(sender, call, f"more than {MAX_NAMES} names")
            if new:
                yield new
    if dropped:
        sender.wire.warn(f"{call.on}: {dropped} of what it lists are no {key}")


async def pages(
    sender: Sender, call: Call, key: str, *, page_size: int = 0, media_type: str = ""
) -> AsyncGenerator[list[Any], None]:
    """Yield the entries of each page of a listing, with *page_size* asked for unless it is 0.

    The next page is where ``Link`` says, by our own origin and path. A registry that sends none
    and fills its page exactly is asked for what comes after the last name, where its profile
    allows that. An answer that is not of *media_type* is none. (distribution-spec, "Listing Tags")
    """
    answer, asked = await _first_page(sender, call, page_size)
    visited = {str(answer.url)}
    for _ in range(MAX_PAGES):
        if media_type not in ("", answer.media_type):
            raise not_a_registry(answer, sender.attempt(call), answer.media_type or "no type")
        entries = _entries(sender, call, answer, key)
        yield entries
        target = _next_page(sender, call, answer, entries, asked)
        if target is None:
            return
        if target in visited:
            if not answer.headers.get("link"):
                return  # the registry knows nothing of `last`; that was all
            raise _endless(sender, call, "the same page again and again")
        visited.add(target)
        answer = await sender.send(replace(call, target=httpx.URL(target)))
    raise _endless(sender, call, f"more than {MAX_PAGES} pages")


async def _first_page(sender: Sender, call: Call, page_size: int) -> tuple[Answer, int]:
    """Ask for the first page, and for a smaller one as long as it is too large."""
    if not page_size:
        return await sender.send(call), 0
    sizes = (page_size, *(size for size in _SMALLER_PAGES if size < page_size))
    for size in sizes[:-1]:
        try:
            return await sender.send(replace(call, target=f"{call.target}?n={size}")), size
        except errors.Rejected as error:
            if not _is_about_size(error):
                raise
    return await sender.send(replace(call, target=f"{call.target}?n={sizes[-1]}")), sizes[-1]


def _is_about_size(error: errors.Rejected) -> bool:
    return isinstance(error, errors.TooLarge) or "PAGINATION_NUMBER_INVALID" in error.codes


def _entries(sender: Sender, call: Call, answer: Answer, key: str) -> list[Any]:
    if not answer.complete:
        raise _endless(sender, call, f"a page of more than {call.limit} bytes")
    entries = json_object(answer, sender.attempt(call)).get(key)
    return entries if isinstance(entries, list) else []


def _next_page(
    sender: Sender, call: Call, answer: Answer, entries: list[Any], asked: int
) -> str | None:
    header = answer.headers.get("link", "")
    if header and (link := next_link(header)):
        return str(sender.gate.next_page(answer.url, link))
    guesses = sender.knowledge.profile.paging is Paging.LAST
    if not guesses or not asked or len(entries) != asked or not isinstance(entries[-1], str):
        return None
    query = urlencode({"n": asked, "last": entries[-1]})
    return str(answer.url.copy_with(query=query.encode("ascii")))


def _parser(parse: Callable[[str], Name]) -> Callable[[Any], Name | None]:
    def parsed(entry: Any) -> Name | None:
        try:
            return parse(entry) if isinstance(entry, str) else None
        except errors.InvalidReference:
            return None

    return parsed


def _endless(sender: Sender, call: Call, what: str) -> errors.RegistryError:
    return errors.RegistryError(
        f"{sender.attempt(call)}: {what}; the listing is not complete", registry=sender.registry
    )
