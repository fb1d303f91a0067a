"""Together: does at once what several tasks ask for while the last of it is still being done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Together(Generic[Asked, Answer]):
    """Collects what is asked for, and gives it to *act*, which answers each in order.

    Nobody waits for company: who comes first is served at once, and those who come meanwhile are
    served together afterwards. An error of *act* is that of all who asked.
    """

    def __init__(self, act: Callable[[Sequence[Asked]], Awaitable[Sequence[Answer]]]) -> None:
        self._act = act
        self._waiting: dict[asyncio.Future[Answer], Asked] = {}
        self._turn = asyncio.Lock()

    async def ask(self, asked: Asked) -> Answer:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[answer] = asked
        try:
            async with self._turn:
                if not answer.done():
                    await self._serve()
        finally:
            # Of one who was cancelled; the others that it served are served by the next of them.
            self._waiting.pop(answer, None)
        return answer.result()

    async def _serve(self) -> None:
        served = dict(self._waiting)
        try:
            answers = await self._act(list(served.values()))
        except Exception as error:
            for future in served:
                future.set_exception(error)
            # Those who were cancelled do not ask what became of it.
            for future in served:
                future.exception()
        else:
            for future, answer in zip(served, answers, strict=True):
                future.set_result(answer)
        for future in served:
            self._waiting.pop(future, None)
