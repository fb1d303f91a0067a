"""Calls: what is to be asked of a registry, and what counts as an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import httpx

from replicator import errors
from replicator.events import RequestKind
from replicator.registry.answers import MAX_ERROR_SIZE, Answer
from replicator.registry.scopes import Scope
from replicator.values import dataclass

_OK: Final = frozenset({200})


class Body(httpx.AsyncByteStream):
    """A body that can be sent once; *failure* is the error of whoever makes it."""

    failure: Exception | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A request to be made.

    - *target*: a path below ``/v2/``, or a URL that the registry named.
    - *on*, *request*: for messages, what it is about and what is asked of it.
    - *expected*: the statuses that are no error.
    - *content* can be sent again, *body* cannot.
    - *settled* is asked after a failure whether the request has been carried out all the same.
    - *refine* gives the error of a refusal a better name, from the answer.
    - *gives_way* is asked after a challenge, which may have told what the registry is: true if
      the call is not worth a login any more.
    - *holds_place*: the caller has a place for a blob, so no other is taken.
    - *limit*: the most bytes of an answer that are read.
    - *patience*: seconds until the answer begins; None for the registry's idle limit.
    """

    kind: RequestKind
    method: str
    target: str | httpx.URL
    on: str
    request: str
    scopes: tuple[Scope, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    expected: frozenset[int] = _OK
    content: bytes = b""
    body: Body | None = None
    settled: Callable[[], Awaitable[bool]] | None = None
    refine: Callable[[Answer, errors.RegistryError], errors.RegistryError] | None = None
    gives_way: Callable[[], bool] | None = None
    holds_place: bool = False
    limit: int = MAX_ERROR_SIZE
    patience: float | None = None


# Stands for the answer that was lost of a request that turned out to be carried out.
SETTLED: Final = Answer(201, {}, b"", httpx.URL())


class SourceFailed(Exception):
    """The body of a request could not be made; *error* says why and passes through unchanged."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def pull(path: str) -> Scope:
    """Return the scope for reading the repository at *path*."""
    return Scope("repository", path, ("pull",))


def push(path: str) -> Scope:
    """Return the scope for writing to the repository at *path*."""
    return Scope("repository", path, ("pull", "push"))
