"""Single values of a configuration file; each error says what is there and what belongs there.

A reader takes a value and where it stands, and returns what it means or raises ConfigError.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar
from urllib.parse import urlsplit

from replicator.errors import ConfigError

T = TypeVar("T")
Reader: TypeAlias = Callable[[Any, str], T]

_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST: Final = 36_500 * _SECONDS["d"]
_DURATION: Final = r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|[smhdw]))+"
_DURATION_PART: Final = r"([0-9.]+)([a-z]+)"

_BYTES: Final = {
    "B": 1,
    "kB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
_SIZE: Final = r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]+)"
_LAST_PORT: Final = 65_535
_ODD_CHARACTER: Final = r"[^\x21-\x7e]|\\"


class Listen(NamedTuple):
    """An address of this machine; port 0 is one that the system chooses."""

    host: str
    port: int


def text(value: Any, where: str) -> str:
    """Read text, which may not be empty."""
    if not isinstance(value, str):
        raise wrong("text in quotes", value, where)
    if not value.strip():
        raise ConfigError(f"{where}: is empty; write something, or leave it out")
    return value


def boolean(value: Any, where: str) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        is_quoted = isinstance(value, str) and value.lower() in ("true", "false")
        fix = f"; write {value.lower()} without quotes" if is_quoted else ""
        raise wrong("true or false", value, where, fix)
    return value


def integer(least: int, most: int | None = None) -> Reader[int]:
    """Return a reader of whole numbers within limits."""

    def read(value: Any, where: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            fix = f"; write {value} without quotes" if _is_number(value) else ""
            raise wrong("a whole number", value, where, fix)
        _check_limits(value, least, most, where)
        return value

    return read


def number(least: float, most: float | None = None) -> Reader[float]:
    """Return a reader of numbers within limits."""

    def read(value: Any, where: str) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            fix = f"; write {value} without quotes" if _is_number(value) else ""
            raise wrong("a number", value, where, fix)
        _check_limits(value, least, most, where)
        return value

    return read


def one_of(choices: type[enum.StrEnum]) -> Reader[Any]:
    """Return a reader of the names of *choices*."""

    def read(value: Any, where: str) -> enum.StrEnum:
        try:
            return choices(value)
        except ValueError:
            known = ", ".join(f'"{choice}"' for choice in choices)
            raise wrong(f"one of {known}", value, where) from None

    return read


def list_of(item: Reader[T]) -> Reader[tuple[T, ...]]:
    """Return a reader of lists, each entry of which *item* reads."""

    def read(value: Any, where: str) -> tuple[T, ...]:
        if not isinstance(value, list):
            fix = f'; write ["{printable(value)}"]' if isinstance(value, str) else ""
            raise wrong("a list", value, where, fix)
        return tuple(item(each, f"{where}[{n}]") for n, each in enumerate(value, start=1))

    return read


def duration(value: Any, where: str) -> timedelta:
    """Read a length of time such as ``90s``, ``1h30m`` or ``7d``."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise wrong("a duration with its unit", value, where, f'; write "{value}s" for seconds')
    if not isinstance(value, str) or not re.fullmatch(_DURATION, value):
        raise wrong('a duration such as "90s", "1h30m" or "7d"', value, where)
    parts = re.findall(_DURATION_PART, value)
    length = sum(float(size) * _SECONDS[unit] for size, unit in parts)
    if length > _LONGEST:
        raise wrong("less than a hundred years", value, where)
    return timedelta(seconds=length)


def seconds(value: Any, where: str) -> float:
    """Read a duration longer than nothing, in seconds."""
    length = duration(value, where).total_seconds()
    if length <= 0:
        raise ConfigError(f"{where}: must be longer than nothing")
    return length


def size(value: Any, where: str) -> int:
    """Read a number of bytes, with its unit."""
    return _bytes(value, '"8MiB"', where)


def rate(value: Any, where: str) -> int:
    """Read bytes a second, with their unit; 0 means no limit."""
    if value == 0 and not isinstance(value, bool):
        return 0
    if isinstance(value, str) and value.endswith("/s"):
        value = value.removesuffix("/s")
    return _bytes(value, '"50MiB/s"', where)


def listen(value: Any, where: str) -> Listen:
    """Read ``HOST:PORT`` of this machine."""
    read = text(value, where)
    host, colon, port = read.rpartition(":")
    if not colon or not host or not port.isdecimal():
        raise wrong('an address such as "127.0.0.1:8080" or "[::]:8080"', value, where)
    if int(port) > _LAST_PORT:
        raise ConfigError(f"{where}: a port is at most {_LAST_PORT}, not {port}")
    return Listen(host.removeprefix("[").removesuffix("]"), int(port))


def secret(value: Any, where: str) -> str:
    """Read text that no message shows."""
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{where}: expected text in quotes")
    return value


def origin(value: Any, where: str) -> str:
    """Read ``https://host[:port]``."""
    url = web_address(value, where)
    if urlsplit(url).path:
        raise wrong('scheme and host alone, as in "https://auth.example.com"', value, where)
    return url


def endpoint(value: Any, where: str) -> str:
    """Read ``host[:port]``, or that with a scheme."""
    read = text(value, where)
    if "://" in read:
        return origin(read, where)
    return origin(f"https://{read}", where).removeprefix("https://")


def web_address(value: Any, where: str) -> str:
    """Read a URL that begins with http:// or https://."""
    expected = 'a URL such as "https://mirror.example.com"'
    read = text(value, where)
    if "@" in read:
        raise ConfigError(f"{where}: expected {expected}, without user and password")
    if not _is_url(read, ("http", "https")):
        raise wrong(expected, value, where)
    return read.rstrip("/")


def proxy(value: Any, where: str) -> str:
    """Read the URL of a proxy; no message shows it, as there may be a password in it."""
    read = text(value, where)
    if not _is_url(read, ("http", "https", "socks5")):
        raise ConfigError(f'{where}: expected a URL such as "http://proxy.example.com:3128"')
    return read


def wrong(expected: str, value: Any, where: str, fix: str = "") -> ConfigError:
    """Return the error for a value of another kind than *expected*."""
    return ConfigError(f"{where}: expected {expected}, got {_shown(value)}{fix}")


def printable(value: str) -> str:
    """Return text as it may stand in a message of one line."""
    return "".join(letter if letter.isprintable() else "?" for letter in value)


def kind_of(value: Any) -> str:
    """Name the type of a value, and no more of it: it may be a secret in the wrong place."""
    match value:
        case str():
            return "text"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a time"


def _shown(value: Any) -> str:
    match value:
        case str():
            return f'the text "{printable(value[:60])}"'
        case bool():
            return str(value).lower()
        case list() | dict():
            return kind_of(value)
        case int() | float():
            return f"the number {value}"
        case _:
            return f"the time {value}"


def _is_url(read: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(read)
        has_place = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    is_plain = not (parts.query or parts.fragment or re.search(_ODD_CHARACTER, read))
    return has_place and is_plain and parts.scheme in schemes


def _is_number(value: Any) -> bool:
    """Say whether *value* is text that would be a number without its quotes."""
    return isinstance(value, str) and re.fullmatch(r"[0-9]+(\.[0-9]+)?", value) is not None


def _check_limits(value: float, least: float, most: float | None, where: str) -> None:
    if not value >= least:  # as not-a-number is not either
        raise ConfigError(f"{where}: {value} is too little; the least is {least}")
    if most is not None and value > most:
        raise ConfigError(f"{where}: {value} is too much; the most is {most}")


def _bytes(value: Any, example: str, where: str) -> int:
    found = re.fullmatch(_SIZE, value) if isinstance(value, str) else None
    factor = _BYTES.get(found[2]) if found else None
    if found is None or factor is None:
        units = ", ".join(_BYTES)
        raise wrong(f"bytes such as {example}", value, where, f"; units are {units}")
    return int(float(found[1]) * factor)
