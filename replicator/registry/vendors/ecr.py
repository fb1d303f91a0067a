"""Ecr: Amazon's registries by the API of ECR, private and public.

An image has the digest of what its tags name, an index if it is one. With a registry token alone,
such as Docker keeps, the API is closed: tags are then listed and asked for one by one.
"""

from __future__ import annotations

from typing import Any, Final

from replicator import errors
from replicator.registry.answers import shown
from replicator.registry.tags import Tags
from replicator.registry.vendors.ecr_api import EcrApi
from replicator.registry.vendors.vendor import Paths, Row, Rows

_EXISTS: Final = "RepositoryAlreadyExistsException"
# The prefix of a rule that is about all repositories without one of their own.
_ALL: Final = "ROOT"


class Ecr:
    """Lists images and repositories, a thousand a page, makes repositories and deletes tags.

    In the public registry that is so for what is our own. Whose an alias is, is found out once.
    """

    shows_all_tags: Final = True

    def __init__(self, api: EcrApi, host: str) -> None:
        self._api = api
        self._name = host
        self._aliases: frozenset[str] | None = None
        self._cached: frozenset[str] | None = None

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
        await self._require_ours(path)
        try:
            await self._api.ask("CreateRepository", self._place(path), on=f"{self._name}/{path}")
        except errors.RegistryError as error:
            if _EXISTS not in error.codes:
                raise
            return False
        return True

    async def delete_tag(self, path: str, tag: str) -> None:
        """Delete a tag; its image stays as long as it has another, and is deleted with the last."""
        await self._require_ours(path)
        on = f"{self._name}/{path}:{tag}"
        body = {**self._place(path), "imageIds": [{"imageTag": tag}]}
        answer = await self._api.ask("BatchDeleteImage", body, on=on)
        for failure in _entries(answer, "failures"):
            code, words = failure.get("failureCode"), failure.get("failureReason")
            kind = errors.NotFound if code == "ImageNotFound" else errors.Rejected
            message = f"{on}: BatchDeleteImage: {shown(f'{code}: {words}')}"
            raise kind(message, codes=(shown(str(code)),), registry=self._name)

    async def is_proxy(self, path: str) -> bool | None:
        """Say whether a rule makes *path* a pull-through cache; None if we may not see them."""
        if self._api.host.is_public:
            return False
        if self._cached is None:
            try:
                self._cached = await self._cached_prefixes()
            except errors.RegistryError:
                return None
        return any(each == _ALL or path.startswith(f"{each}/") for each in self._cached)

    async def _cached_prefixes(self) -> frozenset[str]:
        pages = self._api.pages("DescribePullThroughCacheRules", self._registry(), on=self._name)
        return frozenset(
            [
                str(rule.get("ecrRepositoryPrefix"))
                async for page in pages
                for rule in _entries(page, "pullThroughCacheRules")
            ]
        )

    def _place(self, path: str) -> dict[str, Any]:
        """Return how the API names a repository; the public one's path begins with an alias."""
        name = path.partition("/")[2] if self._api.host.is_public else path
        return {**self._registry(), "repositoryName": name}

    def _registry(self) -> dict[str, Any]:
        """Name the account: a login may be for more than its own."""
        return {"registryId": self._api.host.account} if self._api.host.account else {}

    async def _require_ours(self, path: str) -> None:
        if not await self._is_ours(path):
            raise errors.Denied(
                f"{self._name}/{path}: the alias is not of our own registry", registry=self._name
            )

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
