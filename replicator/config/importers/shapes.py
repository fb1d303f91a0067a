"""Shapes: by which keys the file of each tool is known, and taken for no other's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from replicator.errors import ConfigError
from replicator.values import dataclass

_IMAGES: Final = ("images", "images-by-tag-regex", "images-by-semver")
_OUR_OWN: Final = "; it looks like rules of our own, which `replicate apply` takes"


@dataclass(frozen=True, slots=True)
class _Shape:
    """How a file looks, in words and as a check."""

    words: str
    fits: Callable[[Mapping[str, Any]], bool]


def check_shape(content: Mapping[str, Any], tool: str, where: str) -> None:
    """Raise ConfigError if *content* is nothing that *tool* would read.

    Each reader passes over keys it does not know, and would find no rules in another tool's file.
    """
    if _SHAPES[tool].fits(content):
        return
    others = [name for name, shape in _SHAPES.items() if shape.fits(content)]
    looks = f"; it looks like one of {others[0]}" if others else ""
    if isinstance(content.get("rules"), list):
        looks = _OUR_OWN
    raise ConfigError(f"{where}: is no file of {tool}: expected {_SHAPES[tool].words}{looks}")


def _is_regsync(content: Mapping[str, Any]) -> bool:
    return bool({"sync", "creds"} & content.keys())


def _is_dregsy(content: Mapping[str, Any]) -> bool:
    return "tasks" in content


def _is_skopeo(content: Mapping[str, Any]) -> bool:
    return any(isinstance(each, dict) and each.keys() & set(_IMAGES) for each in content.values())


def _is_image_syncer(content: Mapping[str, Any]) -> bool:
    if content.keys() <= {"auth", "images"}:
        return bool(content)
    if all(isinstance(each, dict) for each in content.values()):
        return any("username" in each or "insecure" in each for each in content.values())
    return all(_is_target(each) for each in content.values())


def _is_target(value: Any) -> bool:
    targets = value if isinstance(value, list) else [value]
    return all(isinstance(each, str) and "/" in each for each in targets)


_SHAPES: Final[Mapping[str, _Shape]] = {
    "regsync": _Shape("sync: and below it a list", _is_regsync),
    "dregsy": _Shape("tasks: and below it a list", _is_dregsy),
    "skopeo": _Shape("registries, and below each images: or images-by-…:", _is_skopeo),
    "image-syncer": _Shape(
        "SOURCE: DESTINATION for each image, or registries with username and password",
        _is_image_syncer,
    ),
}
