"""Actor: on whose behalf this process changes something, for the audit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and by which way: ``cli``, ``api from 192.0.2.7``, ``service``."""

    name: str
    via: str


# What a service does by itself, such as bringing in the rules of its configuration file.
SERVICE: Final = Actor("replicate", "service")

_acting: ContextVar[Actor] = ContextVar("acting", default=SERVICE)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Let all that is changed inside be *actor*'s doing.

    It goes along with the task like the fields of a log line do, so that no layer in between has
    to pass it on.
    """
    token = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(token)


def current_actor() -> Actor:
    """Return who acts here and now."""
    return _acting.get()
