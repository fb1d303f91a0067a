"""What the files of other tools have in common: YAML of texts, names, patterns, logins."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Final

import yaml

from replicator.config.importers.draft import Draft, Imported
from replicator.config.importers.shapes import check_shape
from replicator.config.load import read_bytes
from replicator.errors import ConfigError, InvalidReference
from replicator.oci.reference import Reference, RepositoryName, canonical_registry

_PLAIN_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*", re.ASCII)
_GROUP: Final = re.compile(r"\(\?:|\(")
_LITERAL: Final = re.compile(r"[A-Za-z0-9/_-]|\\[.\-/_]", re.ASCII)
_MOST_GLOBS: Final = 64


class _TextLoader(yaml.SafeLoader):
    """Reads every scalar as the text that stands there: ``3.10`` is no number."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML wants it so)


_TextLoader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])
_TextLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|)$"), None)


def read_file(file: Path, tool: str) -> dict[str, Any]:
    """Read a YAML or JSON file that has to be one of *tool*. Raises ConfigError."""
    read = read_bytes(file)
    try:
        # The loader is a SafeLoader that reads less.
        content = yaml.load(read, _TextLoader)  # noqa: S506
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(_unreadable(file, read, error)) from None
    if content is None:
        raise ConfigError(f"{file}: is empty")
    if not isinstance(content, dict):
        raise ConfigError(f"{file}: is no file of {tool}: expected a mapping")
    found = {str(key): value for key, value in content.items()}
    check_shape(found, tool, str(file))
    return found


def _unreadable(file: Path, content: bytes, error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        place = f"{file}:{error.problem_mark.line + 1}:{error.problem_mark.column + 1}"
        reason = f"is not YAML: {error.problem}"
    else:
        place, reason = str(file), f"cannot be read: {' '.join(str(error).split())}"
    try:
        tomllib.loads(content.decode())
    except ValueError:
        return f"{place}: {reason}"
    return f"{file}: is TOML, as our own files are, and none of the tools that are read has it"


def take_platforms(draft: Draft, platforms: Sequence[str], tool: str) -> None:
    """Let a rule copy some platforms, and remark on what *tool* did with what is no index."""
    draft.settings["platforms"] = list(platforms)
    draft.remarks.append(
        f"platforms: {tool} copies an image that is no index, whatever its platform; here one "
        "whose config names another platform is refused"
    )


def mapping(value: Any, where: str) -> dict[str, Any]:
    """Return *value*, which has to be a mapping or nothing. Raises ConfigError."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: expected a mapping")
    return {str(key): each for key, each in value.items()}


def listing(value: Any, where: str) -> list[Any]:
    """Return *value*, which has to be a list or nothing. Raises ConfigError."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise ConfigError(f"{where}: expected a list")
    return value


def text(value: Any, where: str) -> str:
    """Return *value*, which has to be a text. Raises ConfigError."""
    if value is None:
        raise ConfigError(f"{where}: is missing")
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{where}: expected a text")
    return value


def number(value: Any, where: str) -> float:
    """Return *value*, which has to be a number. Raises ConfigError."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{where}: expected a number") from None


def is_true(value: Any) -> bool:
    return str(value).lower() in ("true", "yes", "on", "1")


def reference(value: str, where: str) -> Reference:
    """Read a reference as Docker does. Raises ConfigError."""
    try:
        return Reference.parse(value)
    except InvalidReference as error:
        raise ConfigError(f"{where}: {error}") from None


def repository(value: str, where: str) -> RepositoryName:
    """Read the name of a repository as Docker does. Raises ConfigError."""
    try:
        return RepositoryName.parse(value)
    except InvalidReference as error:
        raise ConfigError(f"{where}: {error}") from None


def note_unknown(
    given: Mapping[str, Any], known: Iterable[str], where: str, remarks: list[str]
) -> None:
    """Remark on the keys of *given* that are not *known*."""
    unknown = sorted(set(given) - set(known))
    remarks.extend(f"{where}: {key} is not known and was passed over" for key in unknown)


def searched(pattern: str) -> str:
    """Return what matches as a whole where *pattern* is found anywhere."""
    return f".*(?:{pattern}).*"


def is_plain(pattern: str) -> bool:
    """Say whether a regular expression is a name and nothing else."""
    return _PLAIN_TAG.fullmatch(pattern) is not None


def check_pattern(pattern: str, draft: Draft) -> None:
    """Note a regular expression that we could not use."""
    import re2

    try:
        re2.compile(pattern)
    except re2.error:
        draft.lose(f"the regular expression {pattern!r} is not one of RE2")


def globs_of(pattern: str) -> list[str] | None:
    """Return globs that match what a regular expression matches as a whole; None if there are none.

    That is possible for literals, ``.*``, ``[^/]*`` and groups of literal alternatives.
    """
    pieces = _alternatives(pattern.removeprefix("^").removesuffix("$"))
    if pieces is None:
        return None
    globs = ["".join(each) for each in product(*pieces)]
    return globs if len(globs) <= _MOST_GLOBS else None


def _alternatives(pattern: str) -> list[list[str]] | None:
    found: list[list[str]] = []
    at = 0
    while at < len(pattern):
        rest = pattern[at:]
        if group := _GROUP.match(rest):
            inner = rest[group.end() : rest.find(")")] if ")" in rest else "("
            options = [_literal(option) for option in inner.split("|")]
            if None in options or "" in options:
                return None
            found.append([option for option in options if option is not None])
            at += rest.find(")") + 1
        elif rest.startswith((".*", "[^/]*")):
            _add_wildcard(found, "**" if rest.startswith(".") else "*")
            at += 2 if rest.startswith(".") else 5
        elif literal := _LITERAL.match(rest):
            found.append([literal[0].removeprefix("\\")])
            at += literal.end()
        else:
            return None
    return found


def _add_wildcard(found: list[list[str]], wildcard: str) -> None:
    """Two stars side by side would mean something else than one after the other."""
    if found and found[-1] in (["*"], ["**"]):
        found[-1] = [max(found[-1][0], wildcard, key=len)]
    else:
        found.append([wildcard])


def _literal(option: str) -> str | None:
    parts = _LITERAL.findall(option)
    return "".join(each.removeprefix("\\") for each in parts) if "".join(parts) == option else None


def add_login(
    imported: Imported,
    host: str,
    username: str,
    password: str,
    *,
    found: Mapping[str, str] | None = None,
) -> None:
    """Note a login without its secret; *found* names the variable or file that has it."""
    table = imported.registries.setdefault(host, {})
    variable = re.sub(r"[^A-Z0-9]+", "_", host.upper()).strip("_") + "_PASSWORD"
    table["credential"] = {"username": username, **(found or {"password_env": variable})}
    if password and not found:
        imported.remarks.append(
            f"the password for {host} is not written here: set {variable}, or name a file by "
            "password_file"
        )


def registry_name(host: str) -> str:
    """Return the name that references have for *host*, which may begin with a scheme."""
    bare = re.sub(r"^https?://", "", host).rstrip("/")
    name, slash, path = bare.partition("/")
    return f"{canonical_registry(name)}{slash}{path}"


def unique(values: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(values))
