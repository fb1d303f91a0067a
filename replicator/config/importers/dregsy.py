"""dregsy: tasks, each with a source, a target and mappings."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from replicator.config.importers import foreign
from replicator.config.importers.draft import Draft, Imported, Options
from replicator.config.importers.dregsy_tags import take_tags

_TOP: Final = {"relay", "skopeo", "docker", "watch", "lister", "tasks", "dockerhost", "api-version"}
_TASK: Final = {"name", "interval", "verbose", "source", "target", "mappings"}
_LOCATION: Final = {"registry", "auth", "auth-refresh", "skip-tls-verify", "lister"}
_MAPPING: Final = {"from", "to", "tags", "platform"}
_ECR: Final = re.compile(r"\d+\.dkr\.ecr\.[\w-]+\.amazonaws\.com(?:\.cn)?")
_HUB: Final = "registry.hub.docker.com"


def read(files: Sequence[Path], options: Options) -> Imported:
    """Read files of dregsy. Raises ConfigError."""
    imported = Imported()
    for file in files:
        content, where = foreign.read_file(file, "dregsy"), str(file)
        foreign.note_unknown(content, _TOP, where, imported.remarks)
        for key in sorted({"skopeo", "docker", "lister"} & set(content)):
            imported.remarks.append(f"{where}: {key} has no counterpart and needs none")
        for n, task in enumerate(foreign.listing(content.get("tasks"), f"{where}: tasks"), 1):
            _read_task(
                foreign.mapping(task, f"{where}: tasks[{n}]"), f"{where}: tasks[{n}]", imported
            )
    return imported


def _read_task(task: dict[str, Any], where: str, imported: Imported) -> None:
    name = foreign.text(task.get("name"), f"{where}: name")
    foreign.note_unknown(task, _TASK, where, imported.remarks)
    source = _read_location(
        foreign.mapping(task.get("source"), where), f"{where}: source", imported
    )
    target = _read_location(
        foreign.mapping(task.get("target"), where), f"{where}: target", imported
    )
    for given in foreign.listing(task.get("mappings"), f"{where}: mappings"):
        draft = _read_mapping(foreign.mapping(given, where), source, target, name, where)
        if seconds := foreign.number(task.get("interval") or "0", f"{where}: interval"):
            draft.settings["schedule"] = _interval(int(seconds))
        imported.add(draft)


def _interval(seconds: int) -> str:
    size, unit = next(each for each in ((3600, "h"), (60, "m"), (1, "s")) if not seconds % each[0])
    return f"every {seconds // size}{unit}"


def _read_mapping(given: dict[str, Any], source: str, target: str, task: str, where: str) -> Draft:
    path = foreign.text(given.get("from"), f"{where}: from")
    to = str(given.get("to") or "")
    draft = Draft(f"{task}-{path.removeprefix('regex:').strip('/ ')}", "", [])
    if path.startswith("regex:"):
        _take_pattern(path.removeprefix("regex:").strip(), source, draft)
        # A plain path is a prefix then.
        place = f"{target}/{to.strip('/')}/{{repository}}" if to else f"{target}/{{repository}}"
    else:
        draft.source = str(foreign.repository(f"{source}/{path.strip('/')}", where))
        place = f"{target}/{to.strip('/')}" if to else f"{target}/{path.strip('/')}"
    if to.startswith("regex:"):
        place = f"{target}/{{repository}}"
        draft.lose(f"to {to!r}: paths are rewritten by templates such as {{name}} here")
    draft.destinations = [place]
    take_tags([str(each) for each in _tags(given, where)], draft)
    _take_platform(str(given.get("platform") or ""), draft)
    foreign.note_unknown(given, _MAPPING, where, draft.remarks)
    return draft


def _tags(given: Mapping[str, Any], where: str) -> list[Any]:
    found = []
    for each in foreign.listing(given.get("tags"), f"{where}: tags"):
        # Without quotes `keep: latest 6` is a mapping of one key, which is meant as a text.
        found += [f"{k}: {v}" for k, v in each.items()] if isinstance(each, dict) else [each]
    return found


def _take_pattern(pattern: str, source: str, draft: Draft) -> None:
    draft.source = f"{source}/**"
    globs = foreign.globs_of(pattern)
    if globs is None:
        draft.lose(f"from {pattern!r}: repositories are selected by globs here")
    else:
        draft.repositories["include"] = globs


def _take_platform(platform: str, draft: Draft) -> None:
    if platform == "all":
        return
    foreign.take_platforms(draft, [platform or "linux/amd64"], "dregsy")
    if not platform:
        draft.remarks.append(
            "dregsy copies the platform of the machine it runs on, which is taken to be "
            "linux/amd64; without this key the whole index is copied, and digests stay the same"
        )


def _read_location(given: dict[str, Any], where: str, imported: Imported) -> str:
    foreign.note_unknown(given, _LOCATION, where, imported.remarks)
    host = foreign.text(given.get("registry"), f"{where}: registry")
    name = foreign.registry_name("docker.io" if host == _HUB else host.rpartition("@")[2])
    login = _login(str(given.get("auth") or ""))
    if login is not None:
        foreign.add_login(imported, name, *login)
    elif _ECR.fullmatch(name):
        imported.registries.setdefault(name, {}).update(
            credential={"cloud": "aws"}, create="if-missing"
        )
    elif given.get("auth") not in (None, "none"):
        imported.remarks.append(f"{where}: auth of {name} is no login; dregsy went on without one")
    if foreign.is_true(given.get("skip-tls-verify")):
        imported.registries.setdefault(name, {})["insecure"] = True
    if given.get("lister"):
        imported.remarks.append(
            f"{where}: lister of {name}: see docs/registries.md for what is asked"
        )
    return name


def _login(auth: str) -> tuple[str, str] | None:
    """Return user and password of what is JSON in base64."""
    try:
        found = json.loads(base64.b64decode(auth, validate=True))
        return str(found["username"]), str(found["password"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None
