"""in_thread: an embedded registry for code that has no event loop, or blocks its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial

from replicator.embedded.server import EmbeddedRegistry


@contextmanager
def in_thread(registry: EmbeddedRegistry) -> Iterator[EmbeddedRegistry]:
    """Run *registry* in a thread with an event loop of its own.

    Raises what entering the registry raises.
    """
    started: Future[Callable[[], object]] = Future()
    thread = threading.Thread(target=_run, args=(registry, started), name=__name__)
    thread.start()
    stop = started.result()
    try:
        yield registry
    finally:
        stop()
        thread.join()


def _run(registry: EmbeddedRegistry, started: Future[Callable[[], object]]) -> None:
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(registry, started))
    except BaseException as error:
        if started.done():
            raise
        started.set_exception(error)


async def _serve(registry: EmbeddedRegistry, started: Future[Callable[[], object]]) -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    async with registry:
        started.set_result(partial(loop.call_soon_threadsafe, stopped.set))
        await stopped.wait()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop serves about twice as many requests a second, but there is none on Windows."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
