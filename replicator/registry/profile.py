"""Profile: what is known of a kind of registry, as data; one file a kind in ``profiles/``."""

from __future__ import annotations

import enum
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Final

from replicator.errors import ConfigError
from replicator.values import dataclass

GENERIC: Final = "generic"

_FOLDER: Final = Path(__file__).parent / "profiles"


class Shape(enum.StrEnum):
    """How the bytes of a blob are sent into an upload session.

    PUT: all in the closing PUT. PATCH: all in one PATCH, then an empty PUT, as ``docker push``
    does it. CHUNKS: several PATCHes, each with its Content-Range.
    """

    PUT = "put"
    PATCH = "patch"
    CHUNKS = "chunks"


class Paging(enum.StrEnum):
    """How the next page of a listing is found: by ``Link`` alone, or else by the last name."""

    LINK = "link"
    LAST = "last"


class ReferrersBy(enum.StrEnum):
    """Where referrers are listed: API, tag of the tag schema, or whichever is found to work."""

    ANY = "any"
    API = "api"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a kind of registry; the defaults are right for one nobody knows.

    - *hosts*: patterns of the hosts that are of this kind; *challenge*: what the header
      ``WWW-Authenticate`` of this kind alone has in it, wherever it is served.
    - *token_origins*: where its token service is, if not at the registry itself.
    - *api_endpoint*: where its vendor's own API is, likewise; the credentials may go there.
    - *api_logs_in*: that API takes the login itself, and needs none at the registry before.
    - *counts_pulls*: each manifest that is fetched counts against a limit.
    - *page_size*, *paging*: how tags are listed.
    - *catalogue_scope*: the scope a catalogue needs; empty where asking for it is refused.
      *catalogue_basic*: it takes a password and no token.
    - *trusts_head*: a HEAD that finds nothing means that there is nothing.
    - *confirms_puts*: the digest in the answer to a manifest PUT can be believed.
    - *self_mount*: a mount from the very repository tells whether the blob is there; None: find
      out.
    - *upload*: how blobs are sent; *takes_chunks*: whether several PATCHes make one blob, of
      *chunk_size* bytes each.
    - *resumes_uploads*: a broken session can say how much it holds; *offset_bias* is by how much
      too high it says it.
    - *keeps_puts*: a session holds what a broken PUT has brought; where it does not, large blobs go
      in a PATCH.
    - *largest_blob*: the most bytes of a blob that it takes, 0 where nobody knows of a limit.
    - *least_parts*, *most_parts*: how many parts a path has that can be written to, 0 for any;
      *plain_names*: it takes neither ``__`` nor ``--`` in them.
    - *referrers*: where they are listed; *subject_first*: a referrer needs its subject.
    - *folds_tags*: tags that differ only in case are one to it.
    - *explains_absence*: as a proxy it says, with the 404 to a GET, what its upstream answered.
    - *deletes_tags*: DELETE of a tag takes the tag and nothing else, or is refused.
    - *immutable*: answers to a tag PUT that mean "may not be moved", as ``status`` or
      ``status CODE``.
    """

    kind: str
    hosts: tuple[str, ...] = ()
    challenge: str = ""
    token_origins: tuple[str, ...] = ()
    api_endpoint: str = ""
    api_logs_in: bool = False
    counts_pulls: bool = False
    page_size: int = 1000
    paging: Paging = Paging.LAST
    catalogue_scope: str = "registry:catalog:*"
    catalogue_basic: bool = False
    trusts_head: bool = False
    confirms_puts: bool = True
    self_mount: bool | None = None
    upload: Shape = Shape.PUT
    takes_chunks: bool = True
    chunk_size: int = 16 * 1024 * 1024
    resumes_uploads: bool = True
    offset_bias: int = 0
    keeps_puts: bool = True
    largest_blob: int = 0
    least_parts: int = 1
    most_parts: int = 0
    plain_names: bool = False
    referrers: ReferrersBy = ReferrersBy.ANY
    subject_first: bool = False
    folds_tags: bool = False
    explains_absence: bool = False
    deletes_tags: bool = False
    immutable: tuple[str, ...] = ("409", "412", "400 TAG_INVALID")


def profile_for(host: str, kind: str = "") -> Profile:
    """Return the profile of *kind*, or of the kind that *host* looks like.

    Raises ConfigError if there is no such kind.
    """
    if kind:
        if kind not in all_kinds():
            known = ", ".join(all_kinds())
            raise ConfigError(f"registry {host}: unknown kind {kind!r}; known are {known}")
        return profile_of(kind)
    matches = (profile for profile in all_profiles().values() if _is_of(host, profile))
    return next(matches, profile_of(GENERIC))


@cache
def all_kinds() -> tuple[str, ...]:
    """Return the names of all kinds in their order; no profile is read for that."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.toml")))


@cache
def profile_of(kind: str) -> Profile:
    """Read the profile of one kind that is known."""
    return _from_toml(kind, tomllib.loads((_FOLDER / f"{kind}.toml").read_text()))


@cache
def all_profiles() -> Mapping[str, Profile]:
    """Read every profile, by kind."""
    return {kind: profile_of(kind) for kind in all_kinds()}


def profile_by_challenge(challenge: str) -> Profile | None:
    """Return the profile that a ``WWW-Authenticate`` header tells, None if it is none we know."""
    profiles = all_profiles().values()
    return next((each for each in profiles if each.challenge and each.challenge in challenge), None)


def _is_of(host: str, profile: Profile) -> bool:
    return any(fnmatchcase(host.lower(), pattern) for pattern in profile.hosts)


def _from_toml(kind: str, values: dict[str, Any]) -> Profile:
    return Profile(kind, **{key: _value(key, value) for key, value in values.items()})


def _value(key: str, value: Any) -> Any:
    """Give what TOML cannot say its type."""
    types = {"paging": Paging, "upload": Shape, "referrers": ReferrersBy}
    if isinstance(value, list):
        return tuple(value)
    return types[key](value) if key in types else value
