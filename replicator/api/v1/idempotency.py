"""Idempotency-Key: a start that comes twice starts once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import Header
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from replicator.api.v1.problems import problem
from replicator.service.access.identity import Identity
from replicator.store.answers import Answers

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="Of your choice. The same request with the same key, within a day, has the "
        "same answer, and is done once.",
    ),
]
_ACCEPTED: Final = 202


async def once(
    answers: Answers,
    who: Identity,
    key: str | None,
    request: tuple[Any, ...],
    act: Callable[[], Awaitable[BaseModel]],
) -> Response:
    """Do what is asked and answer, or repeat the answer to the same *request* of before.

    A request that fails is not remembered: it may come again.
    """
    if key is None:
        return _accepted(await act())
    wanted = hashlib.sha256(json.dumps(request).encode()).hexdigest()
    before = await answers.claim(key, who.subject, wanted, datetime.now(UTC))
    if before is not None:
        if before.request_hash != wanted:
            return problem(
                422,
                "key_reused",
                "This key came with another request before",
                "a key is for one request and its repetitions; another request takes another key",
            )
        if not before.status:
            return problem(409, "in_progress", "The same request is being done right now")
        return JSONResponse(before.body, before.status, {"Idempotent-Replay": "true"})
    try:
        answer = await act()
    except BaseException:
        await answers.give_up(key, who.subject)
        raise
    await answers.keep(key, who.subject, _ACCEPTED, answer.model_dump(mode="json"))
    return _accepted(answer)


def _accepted(answer: BaseModel) -> Response:
    return JSONResponse(answer.model_dump(mode="json"), _ACCEPTED)
