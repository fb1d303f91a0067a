"""JSON from strangers: one document, no duplicate keys, no numbers or text that others misread."""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

_INT64: Final = 1 << 63


def parse_json(content: bytes) -> Any:
    """Parse *content*, whose size the caller has limited.

    Refuses a byte order mark, bytes that are not UTF-8, duplicate keys, NaN and Infinity,
    integers beyond 64 bits, lone surrogates, trailing data and endless nesting: what two
    parsers may read differently. Raises ValueError and nothing else.
    """
    try:
        text = content.decode("utf-8")
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer
        )
        if "\\u" in text:  # only an escape can smuggle in a lone surrogate
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except UnicodeError:
        raise ValueError("not valid UTF-8 text") from None
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate key in an object")
    return members


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _integer(digits: str) -> int:
    if len(digits) > 20 or not -_INT64 <= (number := int(digits)) < _INT64:
        raise ValueError("integer beyond 64 bits")
    return number
