"""regsync (regclient): ``creds``, ``defaults`` and ``sync``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from replicator.config.importers import foreign
from replicator.config.importers.draft import Draft, Imported, Options
from replicator.config.importers.regsync_logins import read_login
from replicator.config.importers.regsync_versions import range_of
from replicator.errors import ConfigError

_INHERITED: Final = (
    "backup", "interval", "schedule", "ratelimit", "digestTags", "referrers", "referrerFilters",
    "referrerSource", "referrerTarget", "referrerSlow", "fastCheck", "forceRecursive",
    "includeExternal", "mediaTypes", "hooks",
)  # fmt: skip
_PROCESS: Final = {
    "parallel", "blobLimit", "cacheCount", "cacheTime", "skipDockerConfig", "userAgent"
}  # fmt: skip
_OWN: Final = ("source", "target", "type", "tags", "tagSets", "repos", "platform", "platforms")
# What has no counterpart, and changes nothing about what is copied.
_NEEDLESS: Final = {
    "fastCheck": "what is in step costs one HEAD here in any case",
    "forceRecursive": "`replicate verify --repair` does that",
    "referrerSlow": "that is found out",
    "hooks": "regsync never ran them either; `[[notify]]` tells people",
}
_LOST: Final = ("referrerFilters", "referrerSource", "referrerTarget", "mediaTypes", "backup")
_NICKNAMES: Final = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}  # fmt: skip


def read(files: Sequence[Path], options: Options) -> Imported:
    """Read files of regsync. Raises ConfigError."""
    imported = Imported()
    for file in files:
        _read(foreign.read_file(file, "regsync"), str(file), imported)
    return imported


def _read(content: Mapping[str, Any], where: str, imported: Imported) -> None:
    anchors = {key for key in content if key.startswith("x-")}
    known = {"version", "creds", "defaults", "sync"} | anchors
    foreign.note_unknown(content, known, where, imported.remarks)
    for n, entry in enumerate(foreign.listing(content.get("creds"), f"{where}: creds"), start=1):
        read_login(foreign.mapping(entry, f"{where}: creds[{n}]"), f"{where}: creds[{n}]", imported)
    defaults = foreign.mapping(content.get("defaults"), f"{where}: defaults")
    foreign.note_unknown(defaults, {*_INHERITED, *_PROCESS}, f"{where}: defaults", imported.remarks)
    for key in sorted(_PROCESS & set(defaults)):
        imported.remarks.append(f"{where}: defaults.{key} has no counterpart and needs none")
    for n, entry in enumerate(foreign.listing(content.get("sync"), f"{where}: sync"), start=1):
        place = f"{where}: sync[{n}]"
        _read_entry(_inherit(foreign.mapping(entry, place), defaults), place, imported)


def _inherit(entry: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    inherited = {key: defaults[key] for key in _INHERITED if key in defaults}
    if "schedule" in entry or "interval" in entry:
        # The two are inherited together or not at all.
        inherited.pop("schedule", None)
        inherited.pop("interval", None)
    return inherited | entry


def _read_entry(entry: dict[str, Any], where: str, imported: Imported) -> None:
    kind = foreign.text(entry.get("type"), f"{where}: type")
    source = _plain(foreign.text(entry.get("source"), f"{where}: source"), "source", where)
    target = _plain(
        foreign.text(entry.get("target"), f"{where}: target").replace("{{.Sync.Source}}", source),
        "target",
        where,
    )
    draft = Draft(source, "", [])
    match kind:
        case "registry":
            draft.source = f"{foreign.registry_name(source)}/**"
            draft.destinations = [f"{_target(target)}/{{repository}}"]
            _take_repositories(foreign.mapping(entry.get("repos"), f"{where}: repos"), draft)
        case "repository":
            draft.source = _name(source, where)
            draft.destinations = [_target(target)]
        case "image":
            _take_image(source, target, draft, where)
        case _:
            raise ConfigError(f"{where}: type: expected image, repository or registry")
    if kind != "image":
        _take_tags(entry, draft, where)
    _take_options(entry, draft)
    _take_schedule(entry, draft)
    foreign.note_unknown(entry, {*_OWN, *_INHERITED}, where, draft.remarks)
    imported.add(draft)


def _plain(value: str, key: str, where: str) -> str:
    if "{{" in value:
        raise ConfigError(f"{where}: {key}: write what the template {value!r} stands for")
    return value.replace("ocidir://", "oci:")


def _name(source: str, where: str) -> str:
    return source if source.startswith("oci:") else str(foreign.repository(source, where))


def _target(target: str) -> str:
    return target if target.startswith("oci:") else foreign.registry_name(target)


def _take_image(source: str, target: str, draft: Draft, where: str) -> None:
    """One reference to one reference; ``latest`` where there is no tag."""
    read, written = foreign.reference(source, where), foreign.reference(target, where)
    draft.source = str(read.repository)
    tag, new = str(read.tag or "latest"), str(written.tag or "latest")
    if read.digest is not None:
        draft.lose(f"{source} is a digest, and rules go by tags; `replicate copy` takes it")
    draft.tags["include"] = [tag]
    place = str(written.repository)
    draft.destinations = [place if tag == new else f"{place}:{new}"]


def _take_repositories(repos: Mapping[str, Any], draft: Draft) -> None:
    for key, ours in (("allow", "include"), ("deny", "exclude")):
        globs: list[str] = []
        for pattern in foreign.listing(repos.get(key), f"repos.{key}"):
            found = foreign.globs_of(str(pattern))
            if found is None:
                draft.lose(f"repos.{key} {pattern!r}: repositories are selected by globs here")
            else:
                globs += found
        if globs:
            draft.repositories[ours] = foreign.unique(globs)


def _take_tags(entry: Mapping[str, Any], draft: Draft, where: str) -> None:
    sets = [foreign.mapping(entry.get("tags"), f"{where}: tags")]
    sets = [each for each in sets if any(each.values())]
    for each in foreign.listing(entry.get("tagSets"), f"{where}: tagSets"):
        sets.append(foreign.mapping(each, f"{where}: tagSets"))
    if any(not any(each.values()) for each in sets):
        sets = []  # an empty set selects every tag, whatever the others say
    if len(sets) > 1 and all(set(each) == {"allow"} for each in sets):
        sets = [{"allow": [pattern for each in sets for pattern in each["allow"]]}]
    for number, each in enumerate(sets):
        foreign.note_unknown(
            each, {"allow", "deny", "semverRange"}, f"{where}: tags", draft.remarks
        )
        if number == 0:
            _take_set(each, draft)
        else:
            draft.lose(f"another set of tags, {each}: a rule has one; write a rule for it")


def _take_set(given: Mapping[str, Any], draft: Draft) -> None:
    allow, deny, ranges = (
        [str(each) for each in foreign.listing(given.get(key), f"tags.{key}")]
        for key in ("allow", "deny", "semverRange")
    )
    if allow and not ranges and all(map(foreign.is_plain, allow)):
        draft.tags["include"] = foreign.unique(allow)
    elif allow:
        draft.tags["regex"] = [_anchored(pattern, draft) for pattern in foreign.unique(allow)]
    if ranges:
        _take_ranges(ranges, draft)
    if deny:
        draft.tags["exclude_regex"] = [_anchored(each, draft) for each in foreign.unique(deny)]


def _take_ranges(ranges: Sequence[str], draft: Draft) -> None:
    found = [range_of(each) for each in ranges]
    if None in found:
        draft.lose(f"semverRange {list(ranges)}: cannot be read")
        return
    draft.tags["semver"] = " || ".join(each for each in found if each)
    draft.tags["prerelease"] = True
    if "regex" not in draft.tags:
        draft.tags["include"] = ["*"]  # so that variants count, as they do there
    draft.remarks.append(
        "regsync takes 2.0.0-rc1 for less than 2.0.0, and 1.2-alpine for less than 1.2; here a "
        "pre-release belongs to its version, and a variant counts as its version: compare "
        "`replicate plan`"
    )


def _anchored(pattern: str, draft: Draft) -> str:
    """Return what matches as a whole where regsync's ``^pattern$`` is found."""
    foreign.check_pattern(pattern, draft)
    if "|" not in pattern:
        return pattern
    whole = f"(?:{pattern})"
    if re.fullmatch(r"\([^()]*\)", pattern):
        return pattern
    draft.remarks.append(
        f"regsync reads {pattern!r} as ^{pattern}$, where ^ and $ belong to the first and last "
        f"alternative; that is kept. If {whole} was meant, write that"
    )
    return foreign.searched(f"^{pattern}$")


def _take_options(entry: Mapping[str, Any], draft: Draft) -> None:
    _take_referrers(entry, draft)
    if foreign.is_true(entry.get("includeExternal")):
        draft.settings["foreign_layers"] = True
    if platform := entry.get("platform"):
        foreign.take_platforms(draft, [str(platform)], "regsync")
        draft.remarks.append(
            "platform: regsync tags the image of that platform itself, here the tag names an index "
            "of that one image"
        )
    if platforms := foreign.listing(entry.get("platforms"), "platforms"):
        foreign.take_platforms(draft, [str(each) for each in platforms if each], "regsync")
        draft.remarks.append(
            "platforms: regsync keeps the index and leaves children out, here the index is written "
            "anew with those platforms and has another digest"
        )
    for key, why in _NEEDLESS.items():
        if entry.get(key):
            draft.remarks.append(f"{key} was passed over: {why}")
    for key in _LOST:
        if entry.get(key):
            draft.lose(f"{key} {entry[key]!r}")
    if limit := foreign.mapping(entry.get("ratelimit"), "ratelimit"):
        draft.remarks.append(
            f"ratelimit.min {limit.get('min')}: set pull_reserve in the entry of the source "
            "registry; what has to wait is deferred to a later run"
        )


def _take_referrers(entry: Mapping[str, Any], draft: Draft) -> None:
    """Leave them on unless the file says `false`: signatures belong to what they sign."""
    said = entry.get("referrers")
    if foreign.is_true(said):
        return
    if said is not None and not foreign.is_true(entry.get("digestTags")):
        draft.settings["referrers"] = False
        return
    draft.remarks.append(
        "referrers: regsync leaves them behind unless told; here they come along, and so do the "
        "tags that cosign makes of digests; `referrers = false` leaves both behind"
    )


def _take_schedule(entry: Mapping[str, Any], draft: Draft) -> None:
    schedule = str(entry.get("schedule") or "")
    if not schedule and entry.get("interval"):
        schedule = f"@every {entry['interval']}"
    if not schedule:
        return
    if zone := re.match(r"(?:CRON_)?TZ=(\S+)\s+", schedule):
        draft.settings["timezone"] = zone[1]
        schedule = schedule[zone.end() :]
    elif not schedule.startswith("@every"):
        draft.remarks.append("schedule: regsync went by its machine's time zone, here it is UTC")
    if schedule.startswith("@every "):
        interval = re.sub(r"(?<![0-9])0[hms]", "", schedule.removeprefix("@every ").strip())
        if not re.fullmatch(r"(?:[1-9][0-9]*[hms])+", interval):
            draft.lose(f"interval {schedule!r}")
            return
        draft.settings["schedule"] = f"every {interval}"
    else:
        draft.settings["schedule"] = _NICKNAMES.get(schedule, schedule)
