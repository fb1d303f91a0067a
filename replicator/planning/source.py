"""Which repositories a rule reads: one, or those that a pattern matches."""

from __future__ import annotations

from typing import Final, Self

from replicator.errors import ConfigError, InvalidReference
from replicator.oci.reference import (
    DOCKER_HUB,
    LAYOUT,
    Reference,
    RepositoryName,
    canonical_registry,
    looks_like_host,
)
from replicator.planning.patterns import Glob
from replicator.planning.rule import RepositorySelection
from replicator.values import dataclass

_WILD: Final = frozenset("*?[{")


@dataclass(frozen=True, slots=True)
class Source:
    """The repositories of one registry that a rule is about.

    ``glob`` is on the whole path; ``fixed`` is what of it comes before the first wildcard, up to
    a slash. Include and exclude globs are on what follows it: for ``docker.io/library/*`` they
    say ``alpine``, not ``library/alpine``. ``repository`` is the one repository where the source
    has no wildcard.
    """

    registry: str
    fixed: str
    glob: Glob
    include: tuple[Glob, ...] = ()
    exclude: tuple[Glob, ...] = ()
    repository: RepositoryName | None = None

    @classmethod
    def parse(cls, text: str, selection: RepositorySelection, *, where: str) -> Self:
        """Read a repository or a pattern. Raises ConfigError that names the field."""
        if not _WILD.intersection(text):
            return cls._parse_literal(text, selection, where)
        registry, path = _split(text, where)
        glob = Glob.of_repositories(path, where=f"{where}source")
        fixed = _fixed_part(path)
        if registry == DOCKER_HUB and not fixed:
            raise ConfigError(
                f'{where}source: "{text}": Docker Hub has no list of everything; '
                f'name a namespace, such as "docker.io/library/*"'
            )
        return cls(
            registry,
            fixed,
            glob,
            _globs(selection.include, f"{where}repositories.include"),
            _globs(selection.exclude, f"{where}repositories.exclude"),
        )

    @classmethod
    def _parse_literal(cls, text: str, selection: RepositorySelection, where: str) -> Self:
        if selection.include or selection.exclude:
            raise ConfigError(
                f'{where}repositories: the source "{text}" is one repository; remove the list, '
                f'or end the source with "/*"'
            )
        repository = _one_repository(text, where)
        # A folder on disk is no repository path, and nothing is ever matched against it.
        glob = Glob(repository.path, (), literal=repository.path)
        return cls(repository.registry, repository.path, glob, repository=repository)

    @property
    def repositories(self) -> tuple[RepositoryName, ...] | None:
        """The repositories when each is named; None when the registry has to list them."""
        if self.repository is not None:
            return (self.repository,)
        literals = [glob.literal for glob in self.include]
        if not literals or None in literals:
            return None
        names = (RepositoryName(self.registry, f"{self.fixed}{name}") for name in literals)
        return tuple(dict.fromkeys(name for name in names if self.match(name) is not None))

    @property
    def captures(self) -> frozenset[str]:
        """The names that every repository has captured."""
        included = [frozenset(glob.captures) for glob in self.include]
        common = frozenset.intersection(*included) if included else frozenset()
        return frozenset(self.glob.captures) | common

    def match(self, name: RepositoryName) -> dict[str, str] | None:
        """Return the captures when the rule is about *name*, else None."""
        if self.repository is not None:
            return {} if name == self.repository else None
        captures = self.glob.match(name.path) if name.registry == self.registry else None
        if captures is None:
            return None
        rest = name.path.removeprefix(self.fixed)
        if any(glob.match(rest) is not None for glob in self.exclude):
            return None
        if not self.include:
            return captures
        included = (glob.match(rest) for glob in self.include)
        first = next((found for found in included if found is not None), None)
        return None if first is None else {**captures, **first}


def _one_repository(text: str, where: str) -> RepositoryName:
    try:
        reference = Reference.parse(text)
    except InvalidReference as error:
        raise ConfigError(f"{where}source: {error}") from None
    if reference.tag or reference.digest:
        raise ConfigError(
            f'{where}source: "{text}" names a tag or digest; name the repository here and '
            f'select with tags = {{ include = ["…"] }}'
        )
    return reference.repository


def _split(text: str, where: str) -> tuple[str, str]:
    """Split a pattern into the registry's canonical name and a glob on paths."""
    if text.startswith(LAYOUT):
        raise ConfigError(
            f'{where}source: "{text}": an image layout is one repository and has no wildcards'
        )
    host, slash, path = text.partition("/")
    if not slash or not looks_like_host(host):
        host, path = DOCKER_HUB, text
    if _WILD.intersection(host):
        raise ConfigError(f'{where}source: "{text}": the registry\'s host cannot be a pattern')
    registry = canonical_registry(host)
    try:
        RepositoryName(registry, "any")
    except InvalidReference as error:
        raise ConfigError(f"{where}source: {error}") from None
    if registry == DOCKER_HUB and "/" not in path and not path.startswith("**"):
        path = f"library/{path}"
    return registry, path


def _fixed_part(path: str) -> str:
    first = min(position for position in map(path.find, _WILD) if position >= 0)
    return path[: path.rfind("/", 0, first) + 1]


def _globs(texts: tuple[str, ...], where: str) -> tuple[Glob, ...]:
    return tuple(Glob.of_repositories(text, where=where) for text in texts)
