"""Ecr: Amazon's registries by the API of ECR, private and public.

An image has the digest of what its tags name, an index if it is one. With a registry token alone,
such as Docker keeps, the API is closed: tags are then listed and asked for one by one.
"""

from __future__ import annotations

from typing import Any, Final

from replicator import errors
from replicator.registry.tags import Tags
from replicator.registry.vendors.ecr_api import EcrApi
from replicator.registry.vendors.vendor import Paths, Row, Rows

_EXISTS: Final = "RepositoryAlreadyExistsException"


class Ecr:
    """Lists images and repositories, a thousand a page, and makes repositories.

    In the public registry that is so for what is our own. Whose an alias is, is found out once.
    """

    shows_all_tags: Final = True

    def __init__(self, api: EcrApi, host: str) -> None:
        self._api = api
        self._name = host
        self._aliases: frozenset[str] | None = None

    async def tags(self, tags: Tags) -> Rows:
        path = tags.name.path
        if not await self._api.has_keys() or not await self._is_ours(path):
            return
        body: dict[str, Any] = self._place(path)
        if not self._api.host.is_public:
            body["filter"] = {"tagStatus": "TAGGED"}
        async for page in self._api.pages("DescribeImages", body, on=str(tags.name)):
            rows = [row for each in _entries(page, "imageDetails") for row in _rows(each)]
            if rows:
                yield rows

    async def repositories(self, under: str) -> Paths:
        if not await self._api.has_keys() or not await self._is_ours(under):
            return
        alias = f"{under.partition('/')[0]}/" if self._api.host.is_public else ""
        async for page in self._api.pages("DescribeRepositories", self._registry(), on=self._name):
            yield [
                f"{alias}{each.get('repositoryName')}" for each in _entries(page, "repositories")
            ]

    async def create(self, path: str) -> bool:
        """Make the repository at *path*, with the settings that the account has for new ones."""
        if not await self._is_ours(path):
            raise errors.Denied(
                f"{self._name}/{path}: the alias is not of our own registry", registry=self._name
            )
        try:
            await self._api.ask("CreateRepository", self._place(path), on=f"{self._name}/{path}")
        except errors.RegistryError as error:
            if _EXISTS not in error.codes:
                raise
            return False
        return True

    def _place(self, path: str) -> dict[str, Any]:
        """Return how the API names a repository; the public one's path begins with an alias."""
        name = path.partition("/")[2] if self._api.host.is_public else path
        return {**self._registry(), "repositoryName": name}

    def _registry(self) -> dict[str, Any]:
        """Name the account: a login may be for more than its own."""
        return {"registryId": self._api.host.account} if self._api.host.account else {}

    async def _is_ours(self, path: str) -> bool:
        if not self._api.host.is_public:
            return True
        if self._aliases is None:
            answer = await self._api.ask("DescribeRegistries", {}, on=self._name)
            self._aliases = frozenset(
                str(alias.get("name"))
                for registry in _entries(answer, "registries")
                for alias in _entries(registry, "aliases")
            )
        return path.partition("/")[0] in self._aliases


def _rows(image: dict[str, Any]) -> list[Row]:
    tags = image.get("imageTags")
    named = tags if isinstance(tags, list) else []
    return [Row(tag, image.get("imageDigest")) for tag in named]


def _entries(page: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = page.get(key)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
