"""Reading what registries send when something was pushed: which repositories it is about.

A notice is a hint. Tags and digests in it are not believed, as some name only the first tag, or
none, or come late; a run compares. Deletions are no hints: prune has proofs of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from replicator.errors import InvalidReference, InvalidValue
from replicator.oci.media_types import MANIFEST_TYPES, without_parameters
from replicator.oci.reference import RepositoryName

# What a notice may name at most; distribution sends several events at once.
_MOST: Final = 1000


def repositories_of(registry: str, headers: Mapping[str, str], body: bytes) -> set[RepositoryName]:
    """Return the repositories of *registry* to which something was pushed.

    *headers* have names in lower case. Empty when the notice is of something else. Raises
    InvalidValue when it is not a notice that is known.
    """
    notice = _decode(body)
    for read in _READERS:
        paths = read(headers, notice)
        if paths is not None:
            return {name for path in paths if (name := _name(registry, path)) is not None}
    raise InvalidValue("this is no notice of a registry that is known")


def _decode(body: bytes) -> dict[str, Any]:
    try:
        notice = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise InvalidValue("the notice is not JSON") from None
    if not isinstance(notice, dict):
        raise InvalidValue("the notice is not a JSON object")
    return notice


def _name(registry: str, path: object) -> RepositoryName | None:
    """Read a path; owners on GitHub keep their capitals in notices, and nowhere else."""
    try:
        return RepositoryName(registry, path.lower()) if isinstance(path, str) else None
    except InvalidReference:
        return None


def _at(value: Any, *keys: str) -> Any:
    """Follow *keys* into objects; None where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _list(value: Any) -> list[Any]:
    return value[:_MOST] if isinstance(value, list) else []


def _joined(*parts: Any) -> str | None:
    return "/".join(parts) if all(isinstance(part, str) and part for part in parts) else None


def _distribution(headers: Mapping[str, str], notice: dict[str, Any]) -> Iterable[Any] | None:
    """Events of distribution and GitLab; blobs have events too."""
    if not isinstance(notice.get("events"), list):
        return None
    pushes = (event for event in _list(notice["events"]) if _at(event, "action") == "push")
    targets = [_at(event, "target") for event in pushes]
    return [_at(target, "repository") for target in targets if _is_manifest(target)]


def _is_manifest(target: Any) -> bool:
    return without_parameters(str(_at(target, "mediaType"))) in MANIFEST_TYPES


def _cloud_event(headers: Mapping[str, str], notice: dict[str, Any]) -> Iterable[Any] | None:
    """CloudEvents, all in the body or with the attributes in headers: zot and Harbor."""
    inside = "specversion" in notice
    if not inside and "ce-type" not in headers:
        return None
    kind = notice.get("type") if inside else headers["ce-type"]
    data = notice.get("data") if inside else notice
    if kind == "zotregistry.image.updated":
        return [_at(data, "name")]
    if kind == "harbor.artifact.pushed":
        return [_at(data, "repository", "repo_full_name")]
    return []


def _harbor(headers: Mapping[str, str], notice: dict[str, Any]) -> Iterable[Any] | None:
    if "event_data" not in notice:
        return None
    pushed = notice.get("type") == "PUSH_ARTIFACT"
    return [_at(notice, "event_data", "repository", "repo_full_name")] if pushed else []


def _push_data(headers: Mapping[str, str], notice: dict[str, Any]) -> Iterable[Any] | None:
    """Docker Hub, and Aliyun, which took over its form."""
    if "push_data" not in notice:
        return None
    repository = notice.get("repository")
    return [_at(repository, "repo_name") or _at(repository, "repo_full_name")]


def _quay(headers: Mapping[str, str], notice: dict[str, Any]) -> Iterable[Any] | None:
    if "docker_url" not in notice:
        return None
    return [notice.get("repository")] if _list(notice.get("updated_tags")) else []


def _github(headers: Mapping[str, str], notice: dict[str, Any]) -> Iterable[Any] | None:
    """Packages of GitHub; children of an index have notices too, without a tag."""
    if headers.get("x-github-event") not in ("package", "registry_package", "ping"):
        return None
    package = notice.get("package") or notice.get("registry_package")
    kind = str(_at(package, "package_type")).lower()
    tag = _at(package, "package_version", "container_metadata", "tag", "name")
    if kind not in ("container", "docker") or not tag:
        return []
    owner = _at(package, "owner", "login") or _at(package, "namespace")
    return [_joined(owner, _at(package, "name"))]


def _gitea(headers: Mapping[str, str], notice: dict[str, Any]) -> Iterable[Any] | None:
    if headers.get("x-gitea-event", headers.get("x-forgejo-event")) != "package":
        return None
    package = notice.get("package")
    if _at(package, "type") != "container" or notice.get("action") != "created":
        return []
    owner = _at(package, "owner", "login") or _at(package, "owner", "username")
    return [_joined(owner, _at(package, "name"))]


def _azure(headers: Mapping[str, str], notice: dict[str, Any]) -> Iterable[Any] | None:
    if "action" not in notice or not ("target" in notice or notice["action"] == "ping"):
        return None
    return [_at(notice, "target", "repository")] if notice["action"] == "push" else []


def _msr(headers: Mapping[str, str], notice: dict[str, Any]) -> Iterable[Any] | None:
    """Docker Trusted Registry, later called Mirantis Secure Registry."""
    if "contents" not in notice:
        return None
    contents, pushed = notice["contents"], notice.get("type") == "TAG_PUSH"
    return [_joined(_at(contents, "namespace"), _at(contents, "repository"))] if pushed else []


def _nexus(headers: Mapping[str, str], notice: dict[str, Any]) -> Iterable[Any] | None:
    if "component" not in notice and "components" not in notice:
        return None
    component, action = notice.get("component"), notice.get("action")
    is_push = _at(component, "format") == "docker" and action in ("CREATED", "UPDATED")
    return [_at(component, "name")] if is_push else []


_READERS: Final[tuple[Callable[[Mapping[str, str], dict[str, Any]], Iterable[Any] | None], ...]] = (
    _github,
    _gitea,
    _cloud_event,
    _distribution,
    _harbor,
    _push_data,
    _quay,
    _azure,
    _msr,
    _nexus,
)
