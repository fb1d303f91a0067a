"""The screen of one registry: how it is reached, what it is like, and what it was asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from replicator.errors import RegistryNotFound, ReplicatorError
from replicator.page import words
from replicator.page.forms import Form
from replicator.page.registry_lines import RegistryLine, registry_lines, requests_plot
from replicator.page.site import Site
from replicator.page.visitor import Visitor, visitor_of
from replicator.registry.probe import Finding
from replicator.registry.settings import RegistrySettings, Timeouts
from replicator.service.access.identity import Identity, Role
from replicator.service.views.registry_views import KnownRegistry
from replicator.values import dataclass

# What people look for first; the rest of the settings is below it, as far as it is set.
_LIMITS = (
    "max_concurrency",
    "max_blobs",
    "requests_per_second",
    "bandwidth",
    "retries",
    "longest_wait",
    "pull_reserve",
)


@dataclass(frozen=True, slots=True)
class _Settings:
    limits: Sequence[tuple[str, object]]
    others: Sequence[tuple[str, object]]


class RegistryScreen:
    """Shows a registry that is known, or that was asked anything lately."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        return await self._shown(request, visitor_of(request))

    async def check(self, request: Request, visitor: Visitor, form: Form) -> Response:
        """Ask the registry now. Nothing is written to it."""
        visitor.identity.require(Role.OPERATOR)
        name, repository = request.path_params["registry"], form.get("repository", "").strip()
        try:
            findings = await self._site.office.registries.check(
                visitor.identity, name, repository or None
            )
        except RegistryNotFound:
            raise
        except ReplicatorError as error:
            return await self._shown(request, visitor, check_error=str(error))
        return await self._shown(request, visitor, findings=findings, repository=repository)

    async def _shown(
        self,
        request: Request,
        visitor: Visitor,
        *,
        findings: Sequence[Finding] = (),
        check_error: str = "",
        repository: str = "",
    ) -> Response:
        office, who = self._site.office, visitor.identity
        line = await self._line(who, request.path_params["registry"])
        traffic = office.traffic
        requests = await traffic.requests(who, line.name)
        kinds = Counter[str]()
        for each in requests:
            kinds[each.kind] += each.number
        return self._site.pages.page(
            request,
            "registry.html",
            line=line,
            settings=_settings(line.known or _unconfigured(line.name)),
            facts=_facts(line),
            kinds=kinds.most_common(),
            plots=[requests_plot("Requests by kind", traffic.days, requests, by_registry=False)],
            findings=findings,
            check_error=check_error,
            repository=repository,
        )

    async def _line(self, who: Identity, name: str) -> RegistryLine:
        """Raises RegistryNotFound."""
        for line in await registry_lines(self._site.office, who):
            if line.name == name:
                return line
        raise RegistryNotFound(f"there is no registry {name!r}")


def _facts(line: RegistryLine) -> Sequence[tuple[str, object]]:
    facts = line.condition.facts
    known = {} if facts is None else facts.to_json()
    return tuple((words.FACTS[name], value) for name, value in known.items())


def _unconfigured(name: str) -> KnownRegistry:
    return KnownRegistry(RegistrySettings(name), login="", origin="")


def _settings(known: KnownRegistry) -> _Settings:
    settings = known.settings
    details = {
        **known.details(),
        "longest_wait": words.span(settings.longest_wait),
        "timeouts": _spans(settings.timeouts),
        "max_manifest_size": words.size(settings.max_manifest_size),
    }
    limits = [(name, details[name]) for name in _LIMITS if details.get(name)]
    left_out = {*_LIMITS, "name", "kind", "endpoint"}
    others = [(name, value) for name, value in details.items() if value and name not in left_out]
    return _Settings(limits, others)


def _spans(timeouts: Timeouts) -> dict[str, str]:
    return {
        name: words.span(timedelta(seconds=seconds)) for name, seconds in asdict(timeouts).items()
    }
