"""The outbound gate: where requests of one registry may go, and which may carry credentials."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, NoReturn, Self
from urllib.parse import urljoin, urlsplit

import httpx

from replicator.errors import ConfigError, OutboundRefused
from replicator.oci.reference import DOCKER_HUB
from replicator.registry.addresses import (
    Nearness,
    contains,
    nearness,
    parse_address,
    parse_networks,
)
from replicator.registry.api_urls import neighbour
from replicator.registry.settings import RegistrySettings
from replicator.values import dataclass

# https://docker.io serves a web site; the API is here.
_HUB_ENDPOINT: Final = "registry-1.docker.io"
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
# Only what every parser reads alike: no space, no control or non-ASCII character, no backslash.
_ODD_CHARACTER: Final = re.compile(r"[^\x21-\x7e]|\\")
_HOST: Final = re.compile(r"[a-z0-9_.-]+|[0-9a-f:.]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port: what has to be equal for two URLs to be of one server."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: httpx.URL) -> Self:
        """Return the origin of *url*, with the default port filled in."""
        port = url.port
        if port is None:
            port = _DEFAULT_PORTS.get(url.scheme, 0)
        return cls(url.scheme, url.raw_host.decode("ascii").lower(), port)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS.get(self.scheme) else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


class Gate:
    """Guards the requests of one registry entry.

    What a registry names (redirects, token realms, upload locations, next pages) is a stranger's
    text. It is read by ``read_url`` and the methods below, and every request, also each hop of a
    redirect, passes ``check`` and ``address_guard``. Credentials go where
    ``may_carry_credentials`` or ``check_realm`` allow it and nowhere else. All refusals are
    OutboundRefused.

    *profile_token_origins* are those that are known for the registry's kind, such as
    https://auth.docker.io. Raises ConfigError for settings that are no origins or networks.
    """

    def __init__(
        self, settings: RegistrySettings, profile_token_origins: tuple[str, ...] = ()
    ) -> None:
        self.registry = settings.name
        self.origin = api_origin(settings)
        self._settings = settings
        self._token_origins = _origins(
            "token_origins", (*settings.token_origins, *profile_token_origins)
        )
        self._upload_origins = _origins("upload_origins", settings.upload_origins)
        self._networks = parse_networks(settings.allowed_networks)
        self._own_nearness: Nearness | None = None

    def speak_plain_http(self) -> None:
        """Go on without TLS: the registry is on this machine and turned out not to speak it.

        The only way from https to http. It is closed for every host but loopback ones, for
        entries whose ``plain_http`` is false, and for endpoints that begin with ``https://``.
        """
        plain = api_origin(replace(self._settings, plain_http=True))
        forbidden = self._settings.plain_http is False or plain.scheme != "http"
        if forbidden or not _is_loopback_host(plain.host):
            self._refuse(f"{self.origin} does not speak TLS; set plain_http = true to do without")
        self.origin = plain

    def read_url(self, source: httpx.URL, text: str) -> httpx.URL:
        """Resolve *text*, which the answer to *source* named, and refuse what is odd.

        The bytes of its query stay as they are: registries keep signed state there.
        """
        url = self._resolve(source, text)
        self.check(url)
        return url

    def check(self, url: httpx.URL) -> None:
        """Refuse a URL that no request may go to, wherever it came from."""
        if url.scheme not in _DEFAULT_PORTS:
            self._refuse(f"{url.scheme[:20]!r} is not a scheme that registries speak")
        if url.scheme == "http" and self.origin.scheme != "http":
            self._refuse(f"it named the plain-text URL {_shown(url)}, but the registry speaks TLS")
        if not _HOST.fullmatch(Origin.of(url).host):
            self._refuse("a URL has no host, or one that is not a host name")
        if url.userinfo or url.fragment:
            self._refuse("a URL has user information or a fragment")
        if url.port is not None and not 0 < url.port < 65536:
            self._refuse(f"a URL has port {url.port}")

    def may_carry_credentials(self, url: httpx.URL) -> bool:
        """Say whether the registry's credentials may go to *url*: to its own origin alone."""
        return Origin.of(url) == self.origin

    def check_redirect(self, source: httpx.URL, url: httpx.URL) -> None:
        """Refuse a redirect from *source* that leaves TLS, or that goes to an odd URL."""
        self.check(url)
        if source.scheme == "https" and url.scheme != "https":
            self._refuse(
                f"it redirects from {_shown(source)} to {_shown(url)}, which is plain text"
            )

    def upload_location(self, source: httpx.URL, location: str) -> httpx.URL:
        """Resolve the ``Location`` of an upload that the answer to *source* named.

        Another origin is refused unless the entry lists it; ``may_carry_credentials`` is then
        false. A reverse proxy that hides scheme or port from the registry makes it answer with
        ``http://`` or without the port: on the registry's own host that is put right.
        """
        url = self._put_right(self._resolve(source, location))
        self.check(url)
        origin = Origin.of(url)
        if origin != self.origin and origin not in self._upload_origins:
            self._refuse(
                f"it wants the upload at {origin}; "
                f'add upload_origins = ["{origin}"] to its entry if that is right'
            )
        return url

    def next_page(self, source: httpx.URL, target: str) -> httpx.URL:
        """Return the page after *source*: the same place with the query that *target* has.

        Nexus and Artifactory sit behind proxies that they know nothing of, and name a host or
        path that cannot be used; nothing but the query of a ``Link`` is ever needed.
        """
        query = self._resolve(source, target).query
        return source.copy_with(query=query or None)

    def check_realm(self, url: httpx.URL, *, with_credentials: bool) -> None:
        """Refuse a token service that is not the registry's, or not one it may have.

        Credentials go to the registry's own origin and to token origins that its entry or
        profile names: a shared domain proves nothing. An anonymous request carries no secret,
        and the token it brings goes back to the registry alone, so any origin will do that
        ``check`` and ``address_guard`` let pass; public registries ask for no configuration then.
        """
        self.check(url)
        origin = Origin.of(url)
        if with_credentials and origin != self.origin and origin not in self._token_origins:
            self._refuse(
                f"its token service {origin} is not trusted with the credentials; "
                f'add token_origins = ["{origin}"] to its entry if that is right'
            )

    def address_guard(self, url: httpx.URL) -> Callable[[str], None] | None:
        """Return what decides about the address that a request to *url* was connected to.

        The registry's own address may be any. Every other must be a public one, or in
        ``allowed_networks``, or no nearer to us than the registry itself is: a registry on a
        private network may have its storage there too, but no registry reaches the metadata
        service of a cloud. Through a proxy it is the proxy that connects, and its policy counts.
        """
        if self._settings.proxy:
            return None
        return self._allow_own if self.may_carry_credentials(url) else self._allow_other

    def _allow_own(self, address: str) -> None:
        near = nearness(address)
        if self._moved_in(near) and not self._is_listed(address):
            self._refuse(
                f"its name first led to a public address and now leads to {address[:50]}; "
                "add that network to allowed_networks if that is right"
            )
        if self._own_nearness is None or near < self._own_nearness:
            self._own_nearness = near

    def _moved_in(self, near: Nearness) -> bool:
        """Say whether a public name now leads inside, where nothing else proves who answers.

        A certificate for the registry's name proves it, and dual-stack hosts that are public on
        one side and private on the other are not rare; so with TLS this is never said.
        """
        proven = self.origin.scheme == "https" and self._settings.tls.verify
        return not proven and self._own_nearness is Nearness.PUBLIC and near is not Nearness.PUBLIC

    def _allow_other(self, address: str) -> None:
        near = nearness(address)
        own = self._own_nearness or Nearness.PUBLIC
        if near is Nearness.PUBLIC or self._is_listed(address):
            return
        if near is Nearness.SPECIAL or near > own:
            self._refuse(
                f"it named a host at {address[:50]}, which is not a public address; "
                "add that network to allowed_networks if that is right"
            )

    def _is_listed(self, address: str) -> bool:
        parsed = parse_address(address)
        return parsed is not None and contains(self._networks, parsed)

    def _resolve(self, source: httpx.URL, text: str) -> httpx.URL:
        if (url := neighbour(source, text)) is not None:
            return url
        if _ODD_CHARACTER.search(text):
            self._refuse("it named a URL with characters that do not belong in one")
        try:
            parts = urlsplit(text)
            url = httpx.URL(urljoin(str(source), text))
        except (ValueError, httpx.InvalidURL):
            self._refuse("it named a URL that cannot be read")
        # Neither shows in the result: an empty user name is dropped, and a missing host replaced.
        if "@" in parts.netloc:
            self._refuse("it named a URL with user information")
        if parts.scheme and not parts.netloc:
            self._refuse("it named a URL that has a scheme but no host")
        return url

    def _put_right(self, url: httpx.URL) -> httpx.URL:
        """Return *url* with our scheme and port if it lost them on the way."""
        own = self.origin
        origin = Origin.of(url)
        if origin == own:
            return url
        lost_port = origin.port in (own.port, _DEFAULT_PORTS.get(origin.scheme))
        lost_scheme = origin.scheme in (own.scheme, "http")
        if origin.host != own.host or not lost_port or not lost_scheme:
            return url
        return url.copy_with(scheme=own.scheme, port=own.port)

    def _refuse(self, reason: str) -> NoReturn:
        raise OutboundRefused(f"{self.registry}: {reason}", registry=self.registry)


def api_origin(settings: RegistrySettings) -> Origin:
    """Return the origin of a registry's API; https unless the entry says otherwise."""
    place = settings.endpoint or (_HUB_ENDPOINT if settings.name == DOCKER_HUB else settings.name)
    if "://" not in place:
        place = f"{'http' if settings.plain_http else 'https'}://{place}"
    return _origin("endpoint", place)


def _origins(setting: str, texts: Iterable[str]) -> frozenset[Origin]:
    return frozenset(_origin(setting, text) for text in texts)


def _origin(setting: str, text: str) -> Origin:
    """Read an origin as the configuration has it. Raises ConfigError."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ConfigError(f"{setting}: {text!r} is not a URL: {error}") from None
    if url.scheme not in _DEFAULT_PORTS or not url.host or url.userinfo:
        raise ConfigError(f"{setting}: {text!r} is not of the form https://host[:port]")
    return Origin.of(url)


def _is_loopback_host(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost") or nearness(host) is Nearness.LOOPBACK


def _shown(url: httpx.URL) -> str:
    """Return *url* for a message: without its query, which may be a signature."""
    return str(Origin.of(url))
