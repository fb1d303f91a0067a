"""Harbor, and MSR 4: ``/api/v2.0``, with the login by Basic.

An artifact has the digest of what its tags name, an index if it is one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final
from urllib.parse import quote

from replicator import errors
from replicator.registry.tags import Tags
from replicator.registry.vendors.api import Api, Page
from replicator.registry.vendors.vendor import Paths, Row, Rows

# A larger one is refused with 422.
_PAGE_SIZE: Final = 100
# Else a project whose name is a number is looked up by it as an id.
HEADERS: Final = (("X-Is-Resource-Name", "true"),)


class Harbor:
    """Lists the artifacts of a repository and the repositories of a project, 100 a page.

    Of a repository that does not exist it lists no artifact, as of one that is empty.
    """

    # Signatures and what else refers to an artifact is not listed, even if it has tags.
    shows_all_tags: Final = False

    def __init__(self, api: Api, host: str) -> None:
        self._api = api
        self._host = host
        self._proxies: dict[str, bool] = {}

    async def tags(self, tags: Tags) -> Rows:
        """List the tags of artifacts; those of signatures as well where there are any.

        Of a pull-through cache nothing is listed: it has but a part of what its upstream has.
        """
        place = _artifacts(tags.name.path)
        seen: set[Any] = set()
        has_hidden = False
        async for page in self._pages(place, "&q=tags%3D*", on=str(tags.name)):
            artifacts = page.entries("")
            has_hidden = has_hidden or any(each.get("accessories") for each in artifacts)
            rows = [row for each in artifacts for row in _rows(each)]
            if rows and not seen and await self.is_proxy(tags.name.path):
                return
            seen.update(row.name for row in rows)
            if rows:
                yield rows
        if has_hidden:
            async for names in tags.list():
                if hidden := [Row(name) for name in names if name not in seen]:
                    yield hidden

    async def repositories(self, under: str) -> Paths:
        """List the project that *under* names, or all that we may see.

        Raises NotFound if there is no such project: the API lists nothing then.
        """
        project = under.partition("/")[0]
        if not project:
            async for name in self._projects():
                async for paths in self._in_project(name):
                    yield paths
            return
        found = False
        async for paths in self._in_project(project):
            found = True
            yield paths
        if not found and not await self._has_project(project):
            raise errors.NotFound(
                f"{self._host}: there is no project {project}", registry=self._host
            )

    async def is_proxy(self, path: str) -> bool | None:
        """Say whether the project of *path* is a pull-through cache; None if we may not know."""
        project = path.partition("/")[0]
        if project not in self._proxies:
            found = await self._project(project)
            if found is None:
                return None
            upstream = found.get("registry_id")
            self._proxies[project] = isinstance(upstream, int) and upstream > 0
        return self._proxies[project]

    async def create(self, path: str) -> bool:
        """Make the private project that *path* begins with; repositories come by themselves."""
        project = path.partition("/")[0]
        if await self._has_project(project):
            return False
        body = {"project_name": project, "metadata": {"public": "false"}}
        try:
            await self._api.post("projects", body, on=f"{self._host}/{project}")
        except errors.Rejected as error:
            if error.status != 409:  # somebody else was quicker
                raise
        return True

    async def delete_tag(self, path: str, tag: str) -> None:
        """Delete a tag; its artifact stays, with its other tags or with none.

        The registry itself refuses to delete tags.
        """
        place = f"{_artifacts(path)}/{_quoted(tag)}/tags/{_quoted(tag)}"
        await self._api.delete(place, on=f"{self._host}/{path}:{tag}")

    async def _project(self, project: str) -> dict[str, Any] | None:
        """Return a project; robots may not read theirs, but are shown it in the list."""
        on = f"{self._host}/{project}"
        try:
            found = (await self._api.get(f"projects/{_quoted(project)}", on=on)).value
            return found if isinstance(found, dict) else None
        except (errors.Denied, errors.Unauthorized):
            pass
        except errors.RegistryError:
            return None
        try:
            query = f"page=1&page_size={_PAGE_SIZE}&q=name%3D{_quoted(project)}"
            listed = (await self._api.get(f"projects?{query}", on=on)).entries("")
        except errors.RegistryError:
            return None
        return next((each for each in listed if each.get("name") == project), None)

    async def _projects(self) -> AsyncGenerator[str, None]:
        async for page in self._pages("projects", "", on=self._host):
            for each in page.entries(""):
                if isinstance(name := each.get("name"), str):
                    yield name

    async def _in_project(self, project: str) -> AsyncGenerator[list[Any], None]:
        """Yield the paths of a project's repositories, which Harbor calls their names."""
        place = f"projects/{_quoted(project)}/repositories"
        async for page in self._pages(place, "", on=f"{self._host}/{project}"):
            if paths := [each.get("name") for each in page.entries("")]:
                yield paths

    async def _has_project(self, project: str) -> bool:
        place = f"projects?project_name={_quoted(project)}"
        return await self._api.exists(place, on=f"{self._host}/{project}")

    def _pages(self, place: str, query: str, *, on: str) -> AsyncGenerator[Page, None]:
        return self._api.pages(
            lambda number: f"{place}?page={number}&page_size={_PAGE_SIZE}{query}",
            on=on,
            goes_on=lambda page: page.has_next,
        )


def _artifacts(path: str) -> str:
    """Return where the artifacts of a repository are; Harbor undoes the quoting twice."""
    project, _, name = path.partition("/")
    return f"projects/{_quoted(project)}/repositories/{_quoted(_quoted(name))}/artifacts"


def _rows(artifact: dict[str, Any]) -> list[Row]:
    tags = artifact.get("tags")
    named = tags if isinstance(tags, list) else []
    return [Row(tag.get("name"), artifact.get("digest")) for tag in named if isinstance(tag, dict)]


def _quoted(text: str) -> str:
    return quote(text, safe="")
