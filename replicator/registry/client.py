"""Registry: one host; pings it, lists its catalogue, opens its repositories."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

import httpx

from replicator import errors
from replicator.events import Listener, RequestKind, ignore
from replicator.oci.reference import RepositoryName
from replicator.registry.answers import not_a_registry
from replicator.registry.auth import Authenticator
from replicator.registry.calls import Call
from replicator.registry.cloud.entra import EntraExchange
from replicator.registry.courier import USER_AGENT, Courier
from replicator.registry.facts import Facts, apply
from replicator.registry.gate import Gate, Origin
from replicator.registry.groundwork import Groundwork
from replicator.registry.keychain import Keychain
from replicator.registry.knowledge import Knowledge
from replicator.registry.logins_by_path import LoginsByPath
from replicator.registry.mirrors import Mirrors
from replicator.registry.overview import Overview
from replicator.registry.pagination import MAX_PAGE_SIZE, names
from replicator.registry.plain_http import may_be_plain
from replicator.registry.profile import GENERIC, profile_for
from replicator.registry.pull_budget import PullBudget, SharedPulls
from replicator.registry.referrers import TagLists
from replicator.registry.repository import Repository
from replicator.registry.retry import Clock
from replicator.registry.scopes import Scope
from replicator.registry.sending import Sender
from replicator.registry.settings import RegistrySettings, Tls
from replicator.registry.slots import Limits
from replicator.registry.transport import Http1Transport, shared_ssl_context
from replicator.registry.vendors.choice import Vendors
from replicator.registry.wire import Wire

if TYPE_CHECKING:
    from replicator.registry.trials import Trials

_CLOCK: Final = Clock()


class Registry:
    """Speaks to one registry, within its limits; closed when nobody needs it any more."""

    def __init__(
        self, sender: Sender, authenticator: LoginsByPath, vendors: Vendors, mirrors: Mirrors
    ) -> None:
        self._sender = sender
        self._mirrors = mirrors
        self._authenticator = authenticator
        self._vendors = vendors
        self._was_pinged = False
        self._overview = Overview(sender, vendors)
        self._groundwork = Groundwork(sender, authenticator, vendors)
        self._lists: WeakValueDictionary[str, TagLists] = WeakValueDictionary()

    @property
    def name(self) -> str:
        """The host as references have it."""
        return self._sender.registry

    @property
    def origin(self) -> str:
        """Where the API is; before the first request it may be said to be with TLS and not be."""
        return str(self._sender.gate.origin)

    def divide_limits(self, among: int) -> None:
        """Keep to one part of the limits, as so many processes share the registry.

        Those of its mirrors, and of an API that its vendor has elsewhere, are divided alike.
        """
        self._sender.limits.divide(among)
        self._mirrors.divide_limits(among)

    @property
    def knowledge(self) -> Knowledge:
        """What is known by now of how the registry behaves."""
        return self._sender.knowledge

    def repository(self, path: str) -> Repository:
        """Open the repository at *path*. Raises InvalidReference."""
        name = RepositoryName(self.name, path)
        lists = self._lists.setdefault(path, TagLists())
        return Repository(
            self._sender,
            name,
            overview=self._overview,
            groundwork=self._groundwork,
            lists=lists,
            mirrors=self._mirrors,
            vendors=self._vendors,
        )

    def trials(self, path: str) -> Trials:
        """Return what tries the repository at *path*. Raises InvalidReference."""
        from replicator.registry.trials import Trials

        return Trials(self._sender, self._authenticator, RepositoryName(self.name, path))

    async def ping(self) -> None:
        """Make sure that a registry answers, whether or not it lets us in. Raises NotARegistry."""
        call = Call(RequestKind.PING, "GET", "", self.name, "GET /v2/")
        try:
            answer = await self._sender.send(call)
        except errors.Unauthorized:
            return
        if answer.is_web_page:
            raise not_a_registry(answer, self._sender.attempt(call), "a web page")

    async def check_login(self) -> str:
        """Make sure that the registry takes our credentials, or takes us without any.

        Returns the scheme: ``Bearer``, ``Basic``, or nothing if none is asked for. Raises
        Unauthorized, NotARegistry, RegistryUnavailable.
        """
        await self._sender.settle_scheme()
        await self._authenticator.check_login()
        # What is let in at once with a password may not have asked for it.
        await self._authenticator.introduce()
        authorization = await self._authenticator.authorization(())
        return (authorization or "").partition(" ")[0]

    async def list_repositories(self, under: str = "") -> AsyncGenerator[tuple[str, ...], None]:
        """List the paths of the repositories, page by page, as far as we may see them.

        Only those that begin with *under* are listed: a namespace and its slash, where vendors
        list nothing else. Raises Unauthorized, Denied or NotFound where there is no list for us.
        """
        if self.knowledge.profile.kind == GENERIC:
            await self._recognise()
        async with aclosing(self._overview.repositories(under, self._catalogue())) as listing:
            async for page in listing:
                yield page

    async def _recognise(self) -> None:
        """Ask for a challenge, which may tell how repositories are listed here."""
        if not self._was_pinged:
            self._was_pinged = True
            await self.ping()

    async def _catalogue(self) -> AsyncGenerator[tuple[str, ...], None]:
        profile = self.knowledge.profile
        if not profile.catalogue_scope:
            # Quay shows an empty catalogue to nobody in particular, without asking for a login.
            await self._sender.settle_scheme()
            await self._authenticator.introduce()
        call = Call(
            RequestKind.CATALOG,
            "GET",
            "_catalog",
            self.name,
            "GET _catalog",
            scopes=(Scope.parse(profile.catalogue_scope),) if profile.catalogue_scope else (),
            limit=MAX_PAGE_SIZE,
        )
        sender = self._vendors.with_password() if profile.catalogue_basic else self._sender
        listing = names(sender, call, "repositories", self._path, page_size=profile.page_size)
        async with aclosing(listing):
            async for page in listing:
                yield page

    def _path(self, text: str) -> str:
        return RepositoryName(self.name, text).path

    async def aclose(self) -> None:
        """Close all connections, those to its mirrors as well."""
        await self._sender.wire.aclose()
        await self._mirrors.aclose()


def open_registry(
    settings: RegistrySettings,
    *,
    keychain: Keychain,
    entries: Mapping[str, RegistrySettings] | None = None,
    facts: Mapping[str, Facts] | None = None,
    pulls: SharedPulls | None = None,
    listener: Listener = ignore,
    clock: Clock = _CLOCK,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Registry:
    """Return the client for a registry; nothing is sent until it is used.

    *entries* are the settings of other registries, of which some may be mirrors of this one;
    *facts* are what was found out about registries before; through *pulls* other processes are
    heard of that draw on the same limits. Without *transport*, the one that the settings ask for is
    made. Raises ConfigError if the settings cannot be used.
    """
    profile = profile_for(settings.name, settings.kind)
    gate = Gate(settings, profile.token_origins)
    wire = Wire(
        settings.name,
        transport or _make_transport(settings, gate.origin),
        listener=listener,
        clock=clock,
    )

    async def send(request: httpx.Request) -> httpx.Response:
        kind = RequestKind.PING if request.url.path == "/v2/" else RequestKind.TOKEN
        request.headers["User-Agent"] = USER_AGENT
        return await wire.transmit(kind, request)

    logins = EntraExchange(keychain, gate, send, clock=clock)

    def authenticate(prefix: str) -> Authenticator:
        login = f"{settings.name}/{prefix}" if prefix else settings.name
        return Authenticator(gate, logins, send, clock=clock, login=login)

    authenticator = LoginsByPath(authenticate, settings.logins)
    knowledge = Knowledge(profile)
    if facts and settings.name in facts:
        apply(facts[settings.name], knowledge)
    limits = Limits(
        max_concurrency=settings.max_concurrency,
        max_blobs=settings.max_blobs,
        requests_per_second=settings.requests_per_second,
        bandwidth=settings.bandwidth,
        clock=clock,
    )
    courier = Courier(
        settings, knowledge, gate=gate, authenticator=authenticator, wire=wire, limits=limits
    )
    sender = Sender(
        settings,
        knowledge,
        courier,
        gate=gate,
        wire=wire,
        limits=limits,
        pulls=PullBudget(reserve=settings.pull_reserve, clock=clock, shared=pulls),
        listener=listener,
        clock=clock,
    )
    vendors = Vendors(sender, logins, send, listener=listener)
    mirrors = Mirrors(
        settings,
        entries or {},
        open_mirror=partial(open_registry, keychain=keychain, listener=listener, clock=clock),
        listener=listener,
        clock=clock,
    )
    return Registry(sender, authenticator, vendors, mirrors)


def _make_transport(settings: RegistrySettings, origin: Origin) -> httpx.AsyncBaseTransport:
    """Return our own transport, or httpx's where there is a proxy, which ours knows nothing of."""
    context = _ssl_context(settings, origin)
    connections = settings.max_concurrency + 2 * settings.max_blobs
    if settings.proxy:
        return _proxy_transport(settings.proxy, context or shared_ssl_context(Tls()), connections)
    return Http1Transport(
        ssl_context=context, max_connections=connections, timeouts=settings.timeouts
    )


def _ssl_context(settings: RegistrySettings, origin: Origin) -> ssl.SSLContext | None:
    """Return the context for TLS; None where the transport makes it if it is needed at all."""
    encrypted = origin.scheme == "https" and not may_be_plain(settings, origin)
    needed = encrypted or settings.tls != Tls()
    return shared_ssl_context(settings.tls) if needed else None


def _proxy_transport(
    proxy: str, context: ssl.SSLContext, connections: int
) -> httpx.AsyncBaseTransport:
    try:
        return httpx.AsyncHTTPTransport(
            verify=context,
            trust_env=False,
            limits=httpx.Limits(max_connections=connections),
            proxy=httpx.Proxy(proxy),
        )
    except (ValueError, httpx.InvalidURL, ImportError) as error:
        raise errors.ConfigError(f"proxy {proxy!r} cannot be used: {error}") from None
