"""Gathering: what many ask at the same time is answered in one go."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeAlias, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")

# Questions that go together at most.
_MOST: Final = 500

# Seconds between the beginnings of two batches: whoever asks now and then does not wait.
_DISTANCE: Final = 0.01

_Asked: TypeAlias = "tuple[Q, asyncio.Future[A]]"


class Gathering(Generic[Q, A]):
    """Takes questions one by one, and has all of them answered that came while it waited.

    *answer* returns an answer to each of its questions, in their order. What it raises is raised
    for the first; the others are asked again, each alone, as it may not be their fault.
    """

    def __init__(self, answer: Callable[[Sequence[Q]], Awaitable[Sequence[A]]]) -> None:
        self._answer = answer
        self._waiting: list[_Asked[Q, A]] = []
        self._answering: asyncio.Task[None] | None = None
        self._began_at = -_DISTANCE

    async def ask(self, question: Q) -> A:
        """Return the answer to *question*.

        Cancelled, it is not asked any more, unless it is being answered: that goes on.
        """
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._answering is None:
            self._answering = asyncio.create_task(self._answer_all())
        return await answer

    async def _answer_all(self) -> None:
        try:
            while self._waiting:
                await self._keep_distance()
                taken, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                await self._answer_some([each for each in taken if not each[1].done()])
        finally:
            self._answering = None

    async def _keep_distance(self) -> None:
        """Let more come together when one batch would follow another closely."""
        now = asyncio.get_running_loop().time
        wait = self._began_at + _DISTANCE - now()
        if wait > 0:
            await asyncio.sleep(wait)
        self._began_at = now()

    async def _answer_some(self, asked: Sequence[_Asked[Q, A]]) -> None:
        if not asked:
            return
        try:
            answers = await self._answer([question for question, _ in asked])
        except Exception as error:
            if not asked[0][1].done():
                asked[0][1].set_exception(error)
            # At once, as each may have to wait for the same failure.
            others = [each for each in asked[1:] if not each[1].done()]
            await asyncio.gather(*(self._answer_some([each]) for each in others))
            return
        except BaseException:
            for _, waiting in asked:
                waiting.cancel()
            raise
        for (_, waiting), answer in zip(asked, answers, strict=True):
            if not waiting.done():
                waiting.set_result(answer)
