"""skopeo sync: the YAML file, which says where from; where to is on its command line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from replicator.config.importers import foreign
from replicator.config.importers.draft import Draft, Imported, Options
from replicator.errors import ConfigError

_KNOWN: Final = {
    "images", "images-by-tag-regex", "images-by-semver", "credentials", "tls-verify", "cert-dir"
}  # fmt: skip
_HYPHEN: Final = re.compile(r"(\S+)\s+-\s+(\S+)")


def read(files: Sequence[Path], options: Options) -> Imported:
    """Read files of ``skopeo sync --src yaml``. Raises ConfigError."""
    if not options.destination:
        raise ConfigError(
            "skopeo has the destination on its command line: add --destination HOST/PATH, and "
            "--scoped and --all-platforms if it was called with --scoped and --all"
        )
    imported = Imported()
    for file in files:
        for host, given in foreign.read_file(file, "skopeo").items():
            place = f"{file}: {host}"
            _read_registry(host, foreign.mapping(given, place), place, imported, options)
    if not options.scoped:
        _find_meetings(imported)
    return imported


def _read_registry(
    host: str, given: dict[str, Any], where: str, imported: Imported, options: Options
) -> None:
    foreign.note_unknown(given, _KNOWN, where, imported.remarks)
    _read_access(host, given, where, imported)
    for key, take in (
        ("images", _take_names),
        ("images-by-tag-regex", _take_regex),
        ("images-by-semver", _take_range),
    ):
        for path, wanted in foreign.mapping(given.get(key), f"{where}.{key}").items():
            name = foreign.repository(f"{host}/{path}", where)
            draft = Draft(path, str(name), [_destination(options)])
            take(wanted, draft, f"{where}.{key}.{path}")
            _take_platform(draft, options)
            imported.add(draft)


def _destination(options: Options) -> str:
    base = foreign.registry_name(options.destination)
    return f"{base}/{{registry}}/{{repository}}" if options.scoped else f"{base}/{{name}}"


def _take_names(wanted: Any, draft: Draft, where: str) -> None:
    names = [str(each) for each in foreign.listing(wanted, where)]
    digests = [name for name in names if name.startswith("sha256:")]
    if digests:
        draft.lose(
            f"the digests {', '.join(digests)}: rules go by tags; `replicate copy` takes them"
        )
    tags = [name for name in names if name not in digests]
    if tags:
        draft.tags["include"] = foreign.unique(tags)


def _take_regex(wanted: Any, draft: Draft, where: str) -> None:
    pattern = foreign.text(wanted, where)
    foreign.check_pattern(pattern, draft)
    draft.tags["regex"] = [foreign.searched(pattern)]


def _take_range(wanted: Any, draft: Draft, where: str) -> None:
    constraint = _HYPHEN.sub(r">=\1 <=\2", foreign.text(wanted, where))
    if "!=" in constraint:
        draft.lose(f'semver {constraint!r}: "!=" has no counterpart; use exclude')
        return
    draft.tags["semver"] = constraint
    if re.search(r"\d-[0-9A-Za-z]", constraint):
        draft.tags["prerelease"] = True


def _take_platform(draft: Draft, options: Options) -> None:
    if options.all_platforms:
        return
    foreign.take_platforms(draft, ["linux/amd64"], "skopeo")
    draft.remarks.append(
        "skopeo copies the platform of the machine it runs on, which is taken to be linux/amd64; "
        "without this key the whole index is copied, and digests stay the same"
    )


def _read_access(host: str, given: Mapping[str, Any], where: str, imported: Imported) -> None:
    name = foreign.registry_name(host)
    login = foreign.mapping(given.get("credentials"), f"{where}.credentials")
    if login.get("username"):
        password = str(login.get("password") or "")
        foreign.add_login(imported, name, str(login["username"]), password)
    elif login:
        imported.remarks.append(f"{where}: the identity token of {name} is not written here")
    if str(given.get("tls-verify", "")).lower() == "false" and "/" not in name:
        imported.registries.setdefault(name, {})["insecure"] = True
    if given.get("cert-dir"):
        imported.remarks.append(
            f"{where}: name the files of {given['cert-dir']} by ca_file and so on"
        )


def _find_meetings(imported: Imported) -> None:
    """Name repositories that skopeo let overwrite each other without a word."""
    seen: dict[str, str] = {}
    for draft in imported.rules:
        last = draft.source.rpartition("/")[2]
        other = seen.setdefault(last, draft.source)
        if other != draft.source:
            draft.lose(
                f"{draft.source} and {other} go to one repository, where skopeo's later one wins; "
                "give them different destinations"
            )
