"""From an HTTP answer to its bytes, or to the error that names it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import httpx

from replicator import errors
from replicator.oci import media_types
from replicator.oci.strict_json import parse_json
from replicator.registry.meanings import meaning_of
from replicator.values import dataclass

# In bytes. The larger ones are those of callers that expect something.
MAX_ERROR_SIZE: Final = 64 * 1024
# Characters of a registry's own words in a message.
MAX_WORDS: Final = 256

_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_HTML: Final = rb"\s*<(?:!doctype|html|head|body|\?xml|!--)"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its body; *complete* is false when the body was cut at its limit.

    *url* is where it came from, which a redirect may have changed.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes
    url: httpx.URL
    complete: bool = True

    @property
    def media_type(self) -> str:
        return media_types.without_parameters(self.headers.get("content-type", ""))

    @property
    def is_web_page(self) -> bool:
        """By its body: Quay says text/html of the word ``true``."""
        return bool(re.match(_HTML, self.content[:256], re.IGNORECASE))


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was tried, for messages: *on* what, and the method and place of the request."""

    registry: str
    on: str
    request: str

    def __str__(self) -> str:
        return f"{self.on}: {self.request}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One error of an error body; *detail* is JSON as it came."""

    code: str
    message: str
    detail: Any = None


_BY_STATUS: Final[Mapping[int, type[errors.RegistryError]]] = {
    401: errors.Unauthorized,
    403: errors.Denied,
    404: errors.NotFound,
    408: errors.RegistryUnavailable,
    413: errors.TooLarge,
}
# Codes that say more than the status they come with. Quay's read-only mode answers 405 DENIED.
_BY_CODE: Final[Mapping[str, type[errors.RegistryError]]] = {
    "DENIED": errors.Denied,
    "UNAVAILABLE": errors.RegistryUnavailable,
}
_NO_PROJECT: Final = r"project \S+ not found"
_TOO_MANY: Final = frozenset({"TOOMANYREQUESTS", "TOO_MANY_REQUEST"})
_HINTS: Final[Mapping[int, str]] = {
    413: "a proxy in front of the registry may limit the size of a body",
}


def error_of(
    answer: Answer, attempt: Attempt, *, retry_after: float | None = None
) -> errors.RegistryError:
    """Return the error that an unsuccessful answer stands for."""
    found = problems(answer.content)
    codes = tuple(problem.code for problem in found)
    message = f"{attempt}: {_what_came(answer, found)}"
    if _is_quota(found):
        return errors.Denied(
            f"{message} (as many repositories as it may have)",
            status=answer.status,
            codes=codes,
            registry=attempt.registry,
        )
    if answer.status == 429 or not _TOO_MANY.isdisjoint(codes):
        return errors.RateLimited(
            message, retry_after=retry_after, codes=codes, registry=attempt.registry
        )
    kind = errors.NotFound if _lacks_project(answer, found) else _kind(answer.status, codes)
    if meaning := meaning_of(answer.status, _text(found)):
        kind, message = meaning.kind or kind, f"{message} ({meaning.sentence})"
    return kind(message, status=answer.status, codes=codes, registry=attempt.registry)


def _text(found: tuple[Problem, ...]) -> str:
    """Return codes and words together; Quay says in the detail that it is read-only."""
    details = (json.dumps(each.detail) for each in found if each.detail is not None)
    return " ".join([*(f"{each.code} {each.message}" for each in found), *details])[:4096]


def problems(content: bytes) -> tuple[Problem, ...]:
    """Read an error body; nothing if it is none. (distribution-spec, "Error Codes")"""
    try:
        found = parse_json(content)["errors"]
        return tuple(
            Problem(shown(str(each["code"])), str(each.get("message") or ""), each.get("detail"))
            for each in found[:16]
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()


def not_a_registry(answer: Answer, attempt: Attempt, reason: str) -> errors.NotARegistry:
    """Return the error for an answer that no registry gives."""
    page = "a web page" if answer.is_web_page else reason
    return errors.NotARegistry(
        f"{attempt}: {answer.status} with {page}; is {answer.url.host} a registry?",
        status=answer.status,
        registry=attempt.registry,
    )


def json_object(answer: Answer, attempt: Attempt) -> dict[str, Any]:
    """Return the JSON object that *answer* must hold. Raises NotARegistry."""
    if not answer.complete:
        raise not_a_registry(answer, attempt, f"more than {len(answer.content)} bytes")
    try:
        value = parse_json(answer.content)
    except ValueError as error:
        raise not_a_registry(answer, attempt, f"a body that is not JSON ({error})") from None
    if not isinstance(value, dict):
        raise not_a_registry(answer, attempt, "JSON that is not an object")
    return value


def number_in(text: str | None) -> int | None:
    """Return the number that a header consists of, None if it is none."""
    return int(text) if text and _NUMBER.fullmatch(text) else None


def shown(text: str) -> str:
    """Return the words of a stranger as they may stand in a message: short and on one line."""
    line = "".join(character if character.isprintable() else " " for character in text[:4096])
    line = " ".join(line.split())
    return line if len(line) <= MAX_WORDS else f"{line[: MAX_WORDS - 1]}…"


def _is_quota(found: tuple[Problem, ...]) -> bool:
    """Say whether it is zot's limit of repositories, which no waiting changes."""
    return any(
        each.code in _TOO_MANY and isinstance(each.detail, dict) and "limit" in each.detail
        for each in found
    )


def _lacks_project(answer: Answer, found: tuple[Problem, ...]) -> bool:
    """Say whether a 401 of Harbor's means that there is no such project, whoever asks."""
    return answer.status == 401 and any(re.match(_NO_PROJECT, each.message) for each in found)


def _kind(status: int, codes: tuple[str, ...]) -> type[errors.RegistryError]:
    if status >= 500:
        return errors.RegistryUnavailable
    if status < 400:
        return errors.NotARegistry
    by_code = next((_BY_CODE[code] for code in codes if code in _BY_CODE), None)
    return by_code or _BY_STATUS.get(status, errors.Rejected)


def _words(problem: Problem) -> str:
    """Return what an error says; Quay says in its detail alone what is wrong with a manifest."""
    found = problem.detail.get("message") if isinstance(problem.detail, dict) else None
    detail = found if isinstance(found, str) and found not in problem.message else ""
    return " ".join(filter(None, (problem.code, problem.message, detail)))


def _what_came(answer: Answer, found: tuple[Problem, ...]) -> str:
    words = shown("; ".join(map(_words, found)))
    if not words and answer.is_web_page:
        words = "(a web page)"
    hint = _HINTS.get(answer.status)
    return " ".join(filter(None, (str(answer.status), words, f"({hint})" if hint else "")))
