"""What is wrong with a request, as sentences for people instead of the validator's terms."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

from pydantic import BaseModel

_NAME: Final = "up to 100 letters, digits, dots, dashes and underscores, a letter or digit first"
_CHOICE: Final = re.compile(r"\^\(([a-z|-]+)\)\$")
_KINDS: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


def complaints(found: Sequence[Mapping[str, Any]], body: Any) -> list[tuple[str, str]]:
    """Return each field that is wrong with a sentence about it, unknown ones first.

    *body* is the model of what should have been sent; None if there is none.
    """
    ordered = sorted(found, key=lambda each: each["type"] != "extra_forbidden")
    return [(place_of(each), f"{place_of(each)}: {_sentence(each, body)}") for each in ordered]


def place_of(found: Mapping[str, Any]) -> str:
    """Return the name of a field; "body" alone is about the body as a whole.

    Entries of lists are counted from 1, as what reads rules says it.
    """
    part, *place = found["loc"]
    named = (f"[{each + 1}]" if isinstance(each, int) else f".{each}" for each in place)
    return "".join(named).removeprefix(".") or str(part)


def _sentence(found: Mapping[str, Any], body: Any) -> str:
    kind, limits = found["type"], found.get("ctx", {})
    if kind in _KINDS:
        return f"has to be {_KINDS[kind]}"
    match kind:
        case "extra_forbidden":
            return f"is not known{_meant(found['loc'], body)}"
        case "missing":
            return "is required"
        case "string_pattern_mismatch":
            return f"has to be {_form(limits['pattern'])}"
        case "greater_than_equal":
            return f"has to be {limits['ge']} or more"
        case "less_than_equal":
            return f"has to be {limits['le']} or less"
        case "string_too_short" | "too_short":
            return "must not be empty"
        case "string_too_long":
            return f"has to have {limits['max_length']} characters or fewer"
        case "too_long":
            return f"has to have {limits['max_length']} entries or fewer"
        case "enum" | "literal_error":
            return f"has to be {limits['expected']}"
    return str(found["msg"])


def _form(pattern: str) -> str:
    """Say what text a pattern wants; those that have no words here are shown."""
    if choice := _CHOICE.fullmatch(pattern):
        return " or ".join(f'"{each}"' for each in choice[1].split("|"))
    if pattern.startswith("^[A-Za-z0-9][A-Za-z0-9._-]"):
        return _NAME
    if pattern.startswith("^([0-9]+"):
        return "a duration, such as 30m, 12h or 7d"
    if r"\x00" in pattern:
        return "without control characters"
    return f"of the form {pattern}"


def _meant(place: Sequence[str | int], body: Any) -> str:
    """Say which field was probably meant, or which there are."""
    if place[-1] == "definition":
        # What an answer wraps a rule in, and a request does not.
        return "; what is in it is sent alone"
    known = _fields(body, place[1:-1])
    near = difflib.get_close_matches(str(place[-1]), known, n=1, cutoff=0.65)
    if near:
        return f'; did you mean "{near[0]}"?'
    return f"; known are {', '.join(known)}" if known else ""


def _fields(model: Any, place: Sequence[str | int]) -> list[str]:
    """Return the fields of the model that is found by going down *place*."""
    models = [each for each in (model, *get_args(model)) if _is_model(each)]
    if not models:
        return []
    if not place:
        return list(models[0].model_fields)
    field = models[0].model_fields.get(str(place[0]))
    return [] if field is None else _fields(field.annotation, place[1:])


def _is_model(found: Any) -> bool:
    return isinstance(found, type) and issubclass(found, BaseModel)
