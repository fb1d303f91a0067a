"""Clients of registries for tests, and what they announced."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import pytest

from replicator.events import (
    Event,
    RegistryWarned,
    RequestFinished,
    RequestKind,
    RequestRetried,
)
from replicator.registry.client import Registry, open_registry
from replicator.registry.retry import Clock
from replicator.registry.settings import Credentials, RegistrySettings

E = TypeVar("E")


@dataclass
class Keys:
    """A keychain that knows one login, or none."""

    login: Credentials | None = None

    async def credentials_for(self, registry: str) -> Credentials | None:
        return self.login


@dataclass
class Heard:
    """A listener that remembers."""

    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event, /) -> None:
        self.events.append(event)

    def all(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def requests(self) -> Counter[RequestKind]:
        return Counter(event.kind for event in self.all(RequestFinished))

    @property
    def warnings(self) -> list[str]:
        return [event.text for event in self.all(RegistryWarned)]

    @property
    def retries(self) -> list[RequestRetried]:
        return self.all(RequestRetried)


@dataclass
class Patience:
    """A clock whose sleeps cost nothing but are remembered; chance has no part in it.

    A *look* at it takes some seconds: what is done between two of them takes as long.
    """

    seconds: float = 1000.0
    look: float = 0.0
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    @property
    def clock(self) -> Clock:
        return Clock(
            monotonic=self._monotonic,
            now=lambda: self.seconds,
            sleep=self.sleep,
            random=lambda: 1.0,
        )

    def _monotonic(self) -> float:
        self.seconds += self.look
        return self.seconds


@dataclass
class Client:
    """A registry's client, with what it announced and how long it waited."""

    registry: Registry
    heard: Heard
    patience: Patience


class OpenClient(Protocol):
    """Opens the client for a host; takes the fields of RegistrySettings."""

    def __call__(
        self, host: str, *, login: Credentials | None = None, **settings: Any
    ) -> Client: ...


@pytest.fixture
async def open_client() -> AsyncIterator[OpenClient]:
    """Opens any number of clients, which are closed with the test."""
    async with AsyncExitStack() as stack:

        def open_one(
            host: str, *, login: Credentials | None = None, transport: Any = None, **settings: Any
        ) -> Client:
            heard, patience = Heard(), Patience()
            registry = open_registry(
                RegistrySettings(host, **{"plain_http": True, **settings}),
                keychain=Keys(login),
                listener=heard,
                clock=patience.clock,
                transport=transport,
            )
            stack.push_async_callback(registry.aclose)
            return Client(registry, heard, patience)

        yield open_one


async def read(pieces: AsyncIterator[bytes | bytearray | memoryview]) -> bytes:
    """Read a blob to its end."""
    return b"".join([bytes(piece) async for piece in pieces])


async def pieces_of(content: bytes, size: int = 65536) -> AsyncIterator[memoryview]:
    """Give out *content* as a reader does: in pieces of a buffer that is used again."""
    buffer = bytearray(size)
    for start in range(0, len(content), size):
        part = content[start : start + size]
        buffer[: len(part)] = part
        yield memoryview(buffer)[: len(part)]
