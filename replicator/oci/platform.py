"""Platform: the operating system and processor that an image is made for."""

from __future__ import annotations

from typing import Any, Self

from replicator.errors import InvalidValue
from replicator.values import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """``os/architecture[/variant]``, as in ``linux/arm64/v8``. (image-spec, image-index.md)"""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``os/architecture[/variant]``. Raises InvalidValue."""
        parts = text.split("/")
        if len(parts) not in (2, 3) or not all(part and part.isprintable() for part in parts):
            raise InvalidValue(f"{text!r} is not a platform; write os/architecture[/variant]")
        return cls(*parts)

    @classmethod
    def from_json(cls, value: Any) -> Self | None:
        """Read what an index's entry or an image's config says; None where it names no platform."""
        match value:
            case {"os": str(os), "architecture": str(architecture)}:
                variant = value.get("variant")
                return cls(os, architecture, variant if isinstance(variant, str) else "")
            case _:
                return None

    def matches(self, other: Platform) -> bool:
        """Say whether *other*, from an index or a config, is one that this selection wants.

        Without a variant every variant matches. ``arm64`` and ``arm64/v8`` are the same.
        """
        if (self.os, self.architecture) != (other.os, other.architecture):
            return False
        return not self.variant or _variant(self) == _variant(other)

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


def _variant(platform: Platform) -> str:
    if platform.architecture == "arm64" and not platform.variant:
        return "v8"
    return platform.variant
