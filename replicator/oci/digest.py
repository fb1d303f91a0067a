"""Digest: the name that content gives itself."""

from __future__ import annotations

import hashlib
import re
from typing import Final, Self

from replicator.errors import InvalidDigest
from replicator.values import dataclass

# image-spec, descriptor.md, "Registered Algorithms": algorithm → length in hex digits. Content
# under any other algorithm cannot be verified, so it is refused.
_HEX_LENGTH: Final = {"sha256": 64, "sha512": 128}
_HEX: Final = re.compile(r"[0-9a-f]+", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """An algorithm and a lower-case hex value, as in ``sha256:9f86d0…``."""

    algorithm: str
    hex: str

    def __post_init__(self) -> None:
        length = _HEX_LENGTH.get(self.algorithm)
        if length is None:
            raise InvalidDigest(f"unsupported digest algorithm {self.algorithm[:32]!r}")
        if len(self.hex) != length or not _HEX.fullmatch(self.hex):
            raise InvalidDigest(
                f"{self.algorithm}:{self.hex[:140]} does not have {length} lower-case hex digits"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``algorithm:hex``. Raises InvalidDigest."""
        algorithm, separator, value = text.partition(":")
        if not separator:
            raise InvalidDigest(f"{text[:140]!r} is not of the form algorithm:hex")
        return cls(algorithm, value)

    @classmethod
    def of(cls, content: bytes, algorithm: str = "sha256") -> Self:
        """Compute the digest of content that is already in memory."""
        return cls(algorithm, hashlib.new(algorithm, content).hexdigest())

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"

    @property
    def quoted(self) -> str:
        """The digest as a value in the query of a URL."""
        return f"{self.algorithm}%3A{self.hex}"
