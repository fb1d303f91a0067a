"""Routes of registries: how each is reached, and whether it answers."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from replicator.api.v1.access import FromOffice, UnlimitedAdmin, UnlimitedOperator, Viewer
from replicator.api.v1.parameters import USUAL_LIMIT, Answer, Cursor, Host, Limit, Listing
from replicator.oci.reference import canonical_registry
from replicator.service.views.registry_views import KnownRegistry

router = APIRouter(tags=["registries"])


class RegistryAnswer(Answer):
    """A registry. `origin` is `file` for one that the configuration file has; `login` says whose
    credentials are used."""

    name: str
    kind: str
    endpoint: str
    login: str
    origin: str
    settings: dict[str, Any]

    @classmethod
    def of(cls, known: KnownRegistry) -> RegistryAnswer:
        return cls(
            name=known.settings.name,
            kind=known.kind,
            endpoint=known.endpoint,
            login=known.login,
            origin=known.origin,
            settings=dict(known.details()),
        )


class RegistryPage(Listing):
    items: list[RegistryAnswer]


class ChangedRegistry(Answer):
    """What was changed; the secrets of `cleared_credentials` have to be set again."""

    name: str
    cleared_credentials: list[str]


class FindingAnswer(Answer):
    """What was found out; `good` is null where it is neither good nor bad."""

    subject: str
    text: str
    good: bool | None


class CheckAnswer(Answer):
    registry: str
    good: bool
    findings: list[FindingAnswer]


@router.get("/registries", operation_id="listRegistries")
async def list_registries(
    office: FromOffice, who: Viewer, cursor: Cursor = None, limit: Limit = USUAL_LIMIT
) -> RegistryPage:
    """List registries by name; none for a token that is limited to some rules."""
    page = await office.registries.page(who, cursor=cursor, limit=limit)
    return RegistryPage(items=list(map(RegistryAnswer.of, page.items)), next=page.next)


@router.get("/registries/{registry}", operation_id="showRegistry")
async def show_registry(office: FromOffice, who: Viewer, registry: Host) -> RegistryAnswer:
    """Show how a registry is reached. No secret is in it."""
    return RegistryAnswer.of(await office.registries.one(who, registry))


@router.put("/registries/{registry}", operation_id="setRegistry")
async def set_registry(
    office: FromOffice, who: UnlimitedAdmin, registry: Host, settings: dict[str, Any]
) -> ChangedRegistry:
    """Keep how a registry is reached, in the words of the configuration file.

    When that is another way than before, the secret that is kept for it is cleared. The runs
    of services that are running go by it from their next start.
    """
    name = canonical_registry(registry)
    return ChangedRegistry(
        name=name, cleared_credentials=list(await office.registry_desk.put(name, settings))
    )


@router.delete("/registries/{registry}", operation_id="deleteRegistry")
async def delete_registry(
    office: FromOffice, who: UnlimitedAdmin, registry: Host
) -> ChangedRegistry:
    """Forget a registry that the database keeps."""
    name = canonical_registry(registry)
    return ChangedRegistry(
        name=name, cleared_credentials=list(await office.registry_desk.delete(name))
    )


@router.post("/registries/{registry}/check", operation_id="checkRegistry")
async def check_registry(
    office: FromOffice,
    who: UnlimitedOperator,
    registry: Host,
    repository: Annotated[
        str | None, Query(max_length=255, pattern=r"^[a-z0-9._/-]+$", examples=["team/app"])
    ] = None,
) -> CheckAnswer:
    """Find out whether a registry answers and takes our login, and how a repository does.

    Nothing is written to it.
    """
    findings = await office.registries.check(who, registry, repository)
    return CheckAnswer(
        registry=registry,
        good=all(each.good is not False for each in findings),
        findings=[
            FindingAnswer(subject=each.subject, text=each.text, good=each.good) for each in findings
        ],
    )
