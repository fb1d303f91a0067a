"""Rule: what should be kept in step."""

from __future__ import annotations

import enum
from dataclasses import field
from datetime import timedelta

from replicator.oci.platform import Platform
from replicator.values import dataclass


class Overwrite(enum.StrEnum):
    """What to do with a destination tag that names something else."""

    ALWAYS = "always"
    NEVER = "never"
    IF_OURS = "if-ours"


class Prune(enum.StrEnum):
    """Whether tags that the source no longer has are removed from the destination."""

    OFF = "off"
    MIRROR = "mirror"


class PrunedReferrers(enum.StrEnum):
    """What becomes of referrers of an index of which some platforms alone are copied."""

    REPORT = "report"
    REPOINT = "repoint"


class Origin(enum.StrEnum):
    """Where a rule is kept: in a configuration file, or in the database alone."""

    FILE = "file"
    API = "api"


class Order(enum.StrEnum):
    """What "latest" means: the highest version, or the most recently made."""

    VERSION = "version"
    CREATED = "created"


@dataclass(frozen=True, slots=True)
class RepositorySelection:
    """Which repositories of a pattern a rule is about; globs on the path after the pattern's
    fixed part."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TagSelection:
    """Which tags a rule is about.

    A tag is selected when it matches one of *include* (globs) and one of *regex* (anchored), as
    far as they are given, none of *exclude* and *exclude_regex*, is in the range *semver*, and
    is of the wanted age; of those, the *latest* by *order* are kept. What these contain decides
    in the end: *labels* and *annotations* are ``key=glob``, of *artifact_types* one has to be
    the image's, and *max_size* is in bytes, of all its blobs.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    regex: tuple[str, ...] = ()
    exclude_regex: tuple[str, ...] = ()
    semver: str = ""
    prerelease: bool = False
    latest: int | None = None
    order: Order = Order.VERSION
    newer_than: timedelta | None = None
    older_than: timedelta | None = None
    min_tags: int = 0
    labels: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    artifact_types: tuple[str, ...] = ()
    max_size: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """What should be kept in step: source, destinations, selection, options, schedule.

    *source* is a repository or a pattern such as ``docker.io/library/*``; *destinations* are
    templates such as ``registry.example.com/hub/{repository}``. *immutable* are globs of tags
    that never move: once published they cost nothing. *platforms* empty means the whole index.
    *jitter* is the longest by which its due times are put off, so that not all rules run at once.
    In the windows of *maintenance* no run begins by itself; *objective* is how old the last good
    run may be before somebody is told.
    """

    name: str
    source: str
    destinations: tuple[str, ...]
    repositories: RepositorySelection = field(default_factory=RepositorySelection)
    tags: TagSelection = field(default_factory=TagSelection)
    platforms: tuple[Platform, ...] = ()
    referrers: bool = True
    pruned_referrers: PrunedReferrers = PrunedReferrers.REPORT
    foreign_layers: bool = False
    overwrite: Overwrite = Overwrite.ALWAYS
    immutable: tuple[str, ...] = ()
    prune: Prune = Prune.OFF
    prune_after: timedelta = timedelta(hours=24)
    max_prune: int = 20
    allow_empty: bool = False
    schedule: str = ""
    timezone: str = "UTC"
    jitter: timedelta = timedelta(0)
    maintenance: tuple[str, ...] = ()
    objective: timedelta | None = None
    enabled: bool = True
    origin: Origin = Origin.API
    revision: int = 1
