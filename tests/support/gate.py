"""Gate: stops a request of a registry until the test lets it go on."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.support.faults import Action


class Gate(asyncio.Event):
    """An event to be waited for, which tells by ``reached`` that somebody does.

    To be passed to ``faults.hold`` and ``faults.hold_body``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()

    async def wait(self) -> bool:  # type: ignore[override]
        self.reached.set()
        return await super().wait()


def hold_answer(gate: asyncio.Event) -> Action:
    """Let the registry do what it is asked for, and say so only when *gate* is set."""

    async def act(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_held(message: Message) -> None:
            await gate.wait()
            await send(message)

        await app(scope, receive, send_held)

    return act
