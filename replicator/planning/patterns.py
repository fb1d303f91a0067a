"""Patterns on names: globs and regular expressions, both anchored and matched in linear time."""

from __future__ import annotations

import re
import string
from dataclasses import field
from typing import Any, Final, TypeAlias

from replicator.errors import ConfigError
from replicator.values import dataclass

TAG_CHARACTERS: Final = frozenset(string.ascii_letters + string.digits + "_.-")
REPOSITORY_CHARACTERS: Final = frozenset(string.ascii_lowercase + string.digits + "_.-/")

# What destination templates already know; a capture of the same name would hide it.
RESERVED_NAMES: Final = frozenset({"registry", "repository", "name", "tag"})

_LONGEST: Final = 1000
_CAPTURE: Final = re.compile(r"\{([^{}]*)\}")
_CAPTURE_NAME: Final = r"[a-z_][a-z0-9_]{0,31}"


@dataclass(frozen=True, slots=True)
class Step:
    """One character out of *characters*, or with *many* any number of them.

    ``capture`` names the placeholder that the step belongs to.
    """

    characters: frozenset[str]
    many: bool = False
    capture: str = ""


@dataclass(frozen=True, slots=True)
class Glob:
    """A glob on a whole name.

    ``*`` matches any text within one part of a path and ``**`` across parts, ``?`` is one
    character, ``[a-c]`` and ``[!a-c]`` are sets, and ``{word}`` is a named ``*`` that is not
    empty. In tags, which have no parts, ``*`` and ``**`` are the same. ``literal`` is the one
    name that the glob matches, None when it has wildcards.
    """

    text: str
    steps: tuple[Step, ...]
    literal: str | None = None
    captures: tuple[str, ...] = ()
    _regex: Any = field(default=None, repr=False, compare=False)

    @classmethod
    def of_tags(cls, text: str, *, where: str) -> Glob:
        """Read a glob on tags. Raises ConfigError that names *where* it stands."""
        return _parse(text, TAG_CHARACTERS, "tag", where)

    @classmethod
    def of_repositories(cls, text: str, *, where: str) -> Glob:
        """Read a glob on repository paths. Raises ConfigError that names *where* it stands."""
        return _parse(text, REPOSITORY_CHARACTERS, "repository", where)

    def match(self, name: str) -> dict[str, str] | None:
        """Return the captures when *name* matches as a whole, else None."""
        if self.literal is not None:
            return {} if name == self.literal else None
        found = self._regex.fullmatch(name)
        return None if found is None else found.groupdict()


@dataclass(frozen=True, slots=True)
class Regex:
    """A regular expression (RE2) on a whole name."""

    text: str
    captures: tuple[str, ...]
    _regex: Any = field(repr=False, compare=False)

    @classmethod
    def of_tags(cls, text: str, *, where: str) -> Regex:
        """Compile *text*. Raises ConfigError that names *where* it stands."""
        import re2

        _check_length(text, where)
        try:
            compiled = _compiled(text)
        except re2.error as error:
            raise _bad(where, text, _reason(error)) from None
        captures = tuple(compiled.groupindex)
        _check_captures(captures, text, where)
        return cls(text, captures, compiled)

    def match(self, name: str) -> dict[str, str] | None:
        """Return the captures when *name* matches as a whole, else None."""
        found = self._regex.fullmatch(name)
        if found is None:
            return None
        return {name: text for name, text in found.groupdict().items() if text is not None}


Pattern: TypeAlias = Glob | Regex


def _parse(text: str, alphabet: frozenset[str], kind: str, where: str) -> Glob:
    if not text:
        raise ConfigError(f'{where}: an empty pattern matches no {kind}; write "*" for all')
    _check_length(text, where)
    steps: list[Step] = []
    regex: list[str] = []
    captures: list[str] = []
    position = 0
    while position < len(text):
        part = _part(text, position, alphabet, kind, where)
        steps += part.steps
        regex.append(part.regex)
        captures += [step.capture for step in part.steps if step.capture and not step.many]
        position += part.length
    _check_captures(captures, text, where)
    if any(step.many or len(step.characters) > 1 for step in steps):
        return Glob(text, tuple(steps), None, tuple(captures), _compiled("".join(regex)))
    return Glob(text, tuple(steps), "".join(min(step.characters) for step in steps))


@dataclass(frozen=True, slots=True)
class _Part:
    """What one element of a glob means, and how many characters of the glob it takes."""

    steps: tuple[Step, ...]
    regex: str
    length: int


def _part(text: str, position: int, alphabet: frozenset[str], kind: str, where: str) -> _Part:
    within = alphabet - {"/"}
    match text[position]:
        case "*" if text.startswith("**", position):
            return _Part((Step(alphabet, many=True),), ".*", 2)
        case "*":
            return _Part((Step(within, many=True),), "[^/]*", 1)
        case "?":
            return _Part((Step(within),), "[^/]", 1)
        case "[":
            return _set(text, position, within, where)
        case "{":
            return _named(text, position, within, where)
        case character if character in alphabet:
            return _Part((Step(frozenset(character)),), re.escape(character), 1)
        case character:
            hint = "; repository names are lower case" if character.isupper() else ""
            raise _bad(where, text, f"no {kind} contains {character!r}{hint}")


def _set(text: str, position: int, within: frozenset[str], where: str) -> _Part:
    end = text.find("]", position + 2)
    if end < 0:
        raise _bad(where, text, 'the "[" has no "]"')
    body = text[position + 1 : end]
    negated, members = body.startswith("!"), _members(body.removeprefix("!"))
    characters = within - members if negated else within & members
    if not characters:
        raise _bad(where, text, f'"[{body}]" matches no character that a name has')
    allowed = "".join(map(re.escape, sorted(characters)))
    return _Part((Step(characters),), f"[{allowed}]", end + 1 - position)


def _members(body: str) -> frozenset[str]:
    """Read ``a-cx`` as the set of a, b, c and x."""
    members: set[str] = set()
    position = 0
    while position < len(body):
        if body[position + 1 : position + 2] == "-" and position + 2 < len(body):
            first, last = ord(body[position]), ord(body[position + 2])
            members.update(map(chr, range(first, min(last, 127) + 1)))
            position += 3
        else:
            members.add(body[position])
            position += 1
    return frozenset(members)


def _named(text: str, position: int, within: frozenset[str], where: str) -> _Part:
    found = _CAPTURE.match(text, position)
    if found is None:
        raise _bad(where, text, 'the "{" has no "}"')
    name = found[1]
    if "," in name:
        raise _bad(where, text, "braces name what they match; write one pattern for each choice")
    if not re.fullmatch(_CAPTURE_NAME, name):
        raise _bad(where, text, f'"{{{name}}}" is no name; use lower-case letters, digits and _')
    steps = (Step(within, capture=name), Step(within, many=True, capture=name))
    return _Part(steps, f"(?P<{name}>[^/]+)", len(found[0]))


def _check_captures(captures: list[str] | tuple[str, ...], text: str, where: str) -> None:
    for name in captures:
        if name in RESERVED_NAMES:
            raise _bad(where, text, f"{{{name}}} already has a meaning; choose another name")
    if len(set(captures)) < len(captures):
        raise _bad(where, text, "a name is used twice")


def _check_length(text: str, where: str) -> None:
    if len(text) > _LONGEST:
        raise ConfigError(f"{where}: a pattern of {len(text)} characters; the limit is {_LONGEST}")


def _compiled(regex: str) -> Any:
    """Compile by RE2, which is loaded when there is something to compile."""
    import re2

    options = re2.Options()
    options.log_errors = False  # RE2 would write them to standard error itself
    return re2.compile(regex, options)


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    if "perl operator" in text or "escape sequence" in text:
        text += "; look-around and back references are not supported (RE2 syntax)"
    return text


def _bad(where: str, text: str, reason: str) -> ConfigError:
    return ConfigError(f'{where}: pattern "{text}": {reason}')
