"""image-syncer: the file of images, and that of logins."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from replicator.config.importers import foreign
from replicator.config.importers.draft import Draft, Imported, Options
from replicator.errors import ConfigError

_LOGIN: Final = {"username", "password", "insecure"}
_SOURCE: Final = re.compile(
    r"(?P<name>[^@]+?)(?:@(?P<digest>sha256:\w+)|:/(?P<regex>.*)/|:(?P<tags>[^/]+))?"
)
_VARIABLE: Final = re.compile(r"\$\{?(\w+)\}?")


def read(files: Sequence[Path], options: Options) -> Imported:
    """Read files of image-syncer, in any order. Raises ConfigError."""
    imported = Imported()
    for file in files:
        content, where = foreign.read_file(file, "image-syncer"), str(file)
        if set(content) <= {"auth", "images"}:
            _read_logins(foreign.mapping(content.get("auth"), where), where, imported)
            _read_images(foreign.mapping(content.get("images"), where), where, imported)
        elif all(isinstance(value, dict) for value in content.values()):
            _read_logins(content, where, imported)
        else:
            _read_images(content, where, imported)
    if not imported.rules:
        names = ", ".join(map(str, files))
        raise ConfigError(f"{names}: has logins alone; name the file of images as well")
    imported.remarks.append(
        "image-syncer has --os, --arch and --retries on its command line: they are platforms in a "
        "rule, and retries in a registry's entry"
    )
    return imported


def _read_logins(content: Mapping[str, Any], where: str, imported: Imported) -> None:
    for place, value in content.items():
        given = foreign.mapping(value, f"{where}: {place}")
        foreign.note_unknown(given, _LOGIN, f"{where}: {place}", imported.remarks)
        host = foreign.registry_name(place)
        user, password = str(given.get("username") or ""), str(given.get("password") or "")
        if user == "_oauth2_":
            imported.registries.setdefault(host, {})["credential"] = {"cloud": "gcp"}
            imported.remarks.append(
                f"{where}: the key file for {host} is found by Google's own library"
            )
        elif user:
            variable = _VARIABLE.fullmatch(password)
            found = {"password_env": variable[1]} if variable else None
            foreign.add_login(imported, host, user, password, found=found)
        if foreign.is_true(given.get("insecure")):
            imported.registries.setdefault(host.partition("/")[0], {})["insecure"] = True
            imported.remarks.append(
                f"{where}: insecure of {host} also allowed plain HTTP; if it has no TLS write "
                "plain_http = true instead"
            )


def _read_images(content: Mapping[str, Any], where: str, imported: Imported) -> None:
    for source, value in content.items():
        place = f"{where}: {source}"
        targets = value if isinstance(value, list) else [value]
        found = [foreign.text(target, place) for target in targets]
        _read_image(source, foreign.unique(found), place, imported)


def _read_image(source: str, targets: list[str], where: str, imported: Imported) -> None:
    match = _SOURCE.fullmatch(source)
    if match is None:
        raise ConfigError(f"{where}: names no repository")
    name = str(foreign.repository(match["name"], where))
    plain = Draft(match["name"], name, [])
    if match["name"].count("/") < 2 and name != match["name"]:
        plain.remarks.append(f"{match['name']} is read as {name}, as Docker does")
    if match["regex"] is not None:
        foreign.check_pattern(match["regex"], plain)
        plain.tags["regex"] = [foreign.searched(match["regex"])]
    if match["digest"]:
        plain.lose(f"{source} is a digest, and rules go by tags; `replicate copy` takes it")
    tags = match["tags"].split(",") if match["tags"] else []
    if tags:
        plain.tags["include"] = tags
    for target in targets:
        _take_target(target, tags, plain, where, imported)
    if plain.destinations:
        imported.add(plain)


def _take_target(
    target: str, tags: list[str], plain: Draft, where: str, imported: Imported
) -> None:
    """Add a destination that keeps the tags to *plain*; one that renames them has its own rules."""
    if "$" in target:
        plain.lose(f"the destination {target}: write what the variable stands for")
        return
    bare = target.partition("@")[0]
    name, colon, renamed = bare.rpartition(":")
    if not colon or "/" in renamed:
        name, renamed = bare, ""
    place = str(foreign.repository(name, where))
    new = renamed.split(",") if renamed else tags
    if new == tags:
        plain.destinations.append(place)
        return
    if len(new) != len(tags):
        plain.lose(f"{target} has another number of tags than its source")
        return
    for old, tag in zip(tags, new, strict=True):
        include = {"include": [old]}
        imported.add(Draft(f"{plain.name}-{old}", plain.source, [f"{place}:{tag}"], include))
