"""Logs of a service: JSON, or lines for people on a terminal, with what they are about."""

from __future__ import annotations

import logging
import sys
from typing import Any, Final

import structlog

from replicator.events import Event, RegistryWarned, RequestRetried, TagFinished

_log = logging.getLogger("replicator")

# They tell of each step of theirs.
_TALKATIVE: Final = ("apscheduler", "uvicorn", "alembic", "aiosqlite", "httpx")


def set_up_logs(*, verbose: bool = False) -> None:
    """Write logs to standard error.

    What was bound in the task that writes, such as a run and its rule, is in each line.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(for_people=sys.stderr.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def log_event(event: Event, /) -> None:
    """Write down what people look for when something does not get through."""
    match event:
        case RegistryWarned():
            _log.warning("registry warned", extra={"registry": event.registry, "text": event.text})
        case RequestRetried():
            _log.info(
                "request repeated",
                extra={
                    "registry": event.registry,
                    "kind": event.kind.value,
                    "reason": event.reason,
                    "after_seconds": round(event.seconds, 3),
                },
            )
        case TagFinished():
            _log_tag(event)


def _log_tag(event: TagFinished) -> None:
    about: dict[str, Any] = {
        "registry": event.destination.registry,
        "source": event.source,
        "destination": f"{event.destination}:{event.tag}",
    }
    if event.error is not None:
        failed = {"class": event.kind, "error": event.error}
        _log.warning("tag failed", extra=about | failed)
    elif event.written:
        _log.info("tag copied", extra={**about, "digest": str(event.digest)})
    else:
        found = {"digest": str(event.digest), "referrers_added": event.added}
        _log.info("tag unchanged", extra=about | found)


def _formatter(*, for_people: bool) -> logging.Formatter:
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    shown: list[Any] = (
        [structlog.dev.ConsoleRenderer()]
        if for_people
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shown],
    )
