"""What a registry asks for when it answers 401: the challenges of WWW-Authenticate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import field
from typing import Final

from replicator.values import dataclass

# RFC 9110, sections 5.6.2, 5.6.4 and 11.2. More is read than the grammar allows: zot leaves its
# realm unquoted, and parameters are found with nothing but a space between them.
_NAME: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER: Final = re.compile(
    rf'({_NAME})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"=][^\s,"]*))', re.DOTALL
)
_SCHEME: Final = re.compile(rf"{_NAME}+(?![ \t]*=)")  # "++" does not give anything back
_TOKEN68: Final = re.compile(r"[ \t]+[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))")
_SEPARATORS: Final = re.compile(r"[ \t,]*")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
# In characters; what a challenge says goes into the URL of a token request.
_LONGEST: Final = 8 * 1024


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to authenticate; scheme and parameter names are in lower case."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str:
        """Return a parameter; empty when it is not there."""
        return self.parameters.get(name, "")


def parse_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """Read all challenges of all *headers*, in their order.

    A header that cannot be read any further keeps the challenges before that place, and one of
    more than 8 KiB has none. Of a parameter that is given twice, the first counts. (RFC 9110,
    section 11.6.1)
    """
    readable = (header for header in headers if len(header) <= _LONGEST)
    return tuple(challenge for header in readable for challenge in _challenges(header))


def _challenges(header: str) -> Iterator[Challenge]:
    current: Challenge | None = None
    position = _after_separators(header, 0)
    while position < len(header):
        # A name with "=" belongs to the challenge before it; a name without starts a new one.
        if parameter := _PARAMETER.match(header, position):
            if current is not None:
                current.parameters.setdefault(parameter[1].lower(), _value(parameter))
            position = parameter.end()
        elif scheme := _SCHEME.match(header, position):
            if current is not None:
                yield current
            current = Challenge(scheme[0].lower())
            token68 = _TOKEN68.match(header, scheme.end())
            position = token68.end() if token68 else scheme.end()
        else:
            break
        position = _after_separators(header, position)
    if current is not None:
        yield current


def _after_separators(header: str, position: int) -> int:
    separators = _SEPARATORS.match(header, position)
    return separators.end() if separators else position


def _value(parameter: re.Match[str]) -> str:
    quoted, plain = parameter[2], parameter[3]
    return plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
