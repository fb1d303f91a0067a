"""How a command runs its work, and how it is interrupted."""

from __future__ import annotations

import asyncio
import getpass
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar

from replicator.cli.interruption import Interrupted

if TYPE_CHECKING:
    from replicator.store.actor import Actor

T = TypeVar("T")

# Seconds between Ctrl-C and the end, however stuck a connection may be. Nothing at a destination
# is torn at any moment, and what is durable is written within a fraction of this.
_GRACE: Final = 1.5
_SHOW_CURSOR: Final = "\x1b[?25h"


def run_async(
    work: Coroutine[Any, Any, T],
    *,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    copies: bool = False,
) -> T:
    """Run *work* to its end, or until Ctrl-C or SIGTERM; then it has a moment to clean up.

    A second signal, or the end of that moment, ends the process. Raises Interrupted, which says
    whether the work *copies* images.
    """
    try:
        return _run_until_told(work, loop_factory, copies=copies)
    finally:
        # Ctrl-C may come before it has begun.
        work.close()


def _run_until_told(
    work: Coroutine[Any, Any, T],
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None,
    *,
    copies: bool,
) -> T:
    from replicator.store.actor import acting

    with acting(_user()), asyncio.Runner(loop_factory=loop_factory) as runner:
        loop = runner.get_loop()
        task = loop.create_task(work)
        received: list[int] = []

        def interrupt(number: int) -> None:
            if received:
                _leave(number)
            received.append(number)
            timer = threading.Timer(_GRACE, _leave, (number,))
            timer.daemon = True
            timer.start()
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt, number)
        try:
            return loop.run_until_complete(task)
        except BaseException as error:
            if not received:
                raise
            raise Interrupted(received[0], copies=copies) from error


def _user() -> Actor:
    """Return who types, for the audit."""
    from replicator.store.actor import Actor

    try:
        return Actor(getpass.getuser(), "cli")
    except (KeyError, OSError, ImportError):
        # A container may run as a user whom it does not know.
        return Actor(f"user {os.getuid()}", "cli")


def _leave(number: int) -> None:
    """End the process at once, and leave the terminal as it was."""
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), _SHOW_CURSOR.encode())
    os._exit(128 + number)
