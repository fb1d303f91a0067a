"""The application of the page, and where it is in that of a service."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from replicator.api.v1.doorman import doorman
from replicator.api.v1.gate import Doorman
from replicator.errors import ReplicatorError
from replicator.office import Office
from replicator.oidc.settings import BEGIN, CALLBACK
from replicator.page.activity import ActivityScreen
from replicator.page.credentials import CredentialScreen
from replicator.page.forms import posting
from replicator.page.gate import SIGN_IN, Gate
from replicator.page.oidc import OidcScreen
from replicator.page.overview import OverviewScreen
from replicator.page.registries import RegistryScreen
from replicator.page.registry_forms import RegistryForms
from replicator.page.rendering import STATIC_FOLDER, Pages
from replicator.page.rules import RuleScreen
from replicator.page.runs import RunScreen
from replicator.page.sessions import SessionScreen
from replicator.page.signing import SignInScreen
from replicator.page.site import Site
from replicator.page.tokens import TokenScreen

_log = logging.getLogger(__name__)

_Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


def page_routes(office: Office, listening_on: str) -> Sequence[BaseRoute]:
    """Return the routes of the page: all that nothing else answers, so they come last."""
    knows = doorman(office, listening_on)
    return [Mount("", create_page(office, knows))]


def create_page(
    office: Office, knows: Doorman, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> ASGIApp:
    """Return the page; *knows* finds out who asks when no session says so."""
    pages = Pages(clock)
    app = Starlette(routes=_routes(Site(office, pages, clock)))
    _answer_with_pages(app, pages)
    return Gate(app, doorman=knows, sessions=office.sessions, pages=pages)


def _routes(site: Site) -> list[BaseRoute]:
    overview, rule, run = OverviewScreen(site), RuleScreen(site), RunScreen(site)
    registry, activity = RegistryScreen(site), ActivityScreen(site)
    signing, oidc = SignInScreen(site), OidcScreen(site)
    return [
        _get("/", overview.show),
        # Rules, runs and registries are listed there; people type these addresses by hand.
        *(_get(path, _overview) for path in ("/rules", "/runs", "/registries")),
        _get("/rules/new", rule.new),
        _post("/rules", posting(rule.create)),
        _get("/rules/{rule}", rule.show),
        _get("/rules/{rule}/edit", rule.edit),
        _post("/rules/{rule}/edit", posting(rule.replace)),
        # Whoever loads the address of a plan anew, without its form, sees the rule.
        _get("/rules/{rule}/plan", rule.show),
        _post("/rules/{rule}/plan", posting(rule.plan)),
        _post("/rules/{rule}/run", posting(rule.run)),
        _post("/rules/{rule}/enable", posting(rule.enable)),
        _post("/rules/{rule}/disable", posting(rule.disable)),
        _get("/rules/{rule}/delete", rule.ask_to_delete),
        _post("/rules/{rule}/delete", posting(rule.delete)),
        _get("/runs/{run}", run.show),
        _get("/runs/{run}/live", run.watch),
        _post("/runs/{run}/cancel", posting(run.cancel)),
        _post("/runs/{run}/retry", posting(run.retry)),
        *_registry_forms(RegistryForms(site)),
        _get("/registries/{registry}", registry.show),
        _get("/registries/{registry}/check", registry.show),
        _post("/registries/{registry}/check", posting(registry.check)),
        _get("/activity", activity.show),
        *_access(TokenScreen(site), CredentialScreen(site), SessionScreen(site)),
        _get(SIGN_IN, signing.show),
        _post(SIGN_IN, signing.sign_in),
        _get(BEGIN, oidc.begin),
        _get(CALLBACK, oidc.finish),
        _post("/sign-out", posting(signing.sign_out)),
        Mount("/static", StaticFiles(directory=STATIC_FOLDER)),
    ]


async def _overview(request: Request) -> Response:
    return RedirectResponse("/", 303)


def _registry_forms(forms: RegistryForms) -> list[BaseRoute]:
    return [
        _get("/registries/new", forms.new),
        _post("/registries", posting(forms.create)),
        _get("/registries/{registry}/edit", forms.edit),
        _post("/registries/{registry}/edit", posting(forms.change)),
        _get("/registries/{registry}/delete", forms.ask_to_delete),
        _post("/registries/{registry}/delete", posting(forms.delete)),
    ]


def _access(
    tokens: TokenScreen, credentials: CredentialScreen, sessions: SessionScreen
) -> list[BaseRoute]:
    return [
        _get("/access", tokens.show),
        _post("/access", posting(tokens.create)),
        _get("/access/tokens/{name}/revoke", tokens.ask_to_revoke),
        _post("/access/tokens/{name}/revoke", posting(tokens.revoke)),
        _get("/access/credentials", credentials.show),
        _post("/access/credentials", posting(credentials.put)),
        _get("/access/credentials/{name}/delete", credentials.ask_to_delete),
        _post("/access/credentials/{name}/delete", posting(credentials.delete)),
        _get("/access/sessions", sessions.show),
        _post("/access/sessions/{session}/end", posting(sessions.end)),
    ]


def _get(path: str, endpoint: _Endpoint) -> Route:
    return Route(path, endpoint, methods=["GET"])


def _post(path: str, endpoint: _Endpoint) -> Route:
    return Route(path, endpoint, methods=["POST"])


def _answer_with_pages(app: Starlette, pages: Pages) -> None:
    """Let *app* say on a page whatever goes wrong."""

    async def ours(request: Request, error: Exception) -> Response:
        if not isinstance(error, ReplicatorError):
            raise error
        return pages.error(request, error)

    async def of_http(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        title = "There is no such page" if status == 404 else "This cannot be asked here"
        return pages.page(request, "error.html", status, title=title, detail="")

    async def unexpected(request: Request, error: Exception) -> Response:
        # What it is goes into the log, where nobody from outside reads it.
        _log.error("page failed", exc_info=error, extra={"path": request.url.path})
        return pages.page(
            request, "error.html", 500, title="The service failed", detail="Its log says why."
        )

    app.add_exception_handler(ReplicatorError, ours)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(Exception, unexpected)
