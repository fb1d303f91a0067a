"""Which vendor's API goes with which kind of registry, and how it is reached."""

from __future__ import annotations

from dataclasses import replace

from replicator.events import Listener
from replicator.registry.courier import Authorizer, Courier
from replicator.registry.exchange import Send
from replicator.registry.gate import Gate
from replicator.registry.keychain import Keychain
from replicator.registry.knowledge import Knowledge
from replicator.registry.login import Login
from replicator.registry.logins_by_path import login_for
from replicator.registry.profile import Profile, profile_for
from replicator.registry.sending import Sender
from replicator.registry.slots import Limits
from replicator.registry.tokens import basic_header
from replicator.registry.vendors.api import Api
from replicator.registry.vendors.authorizers import FromLogin, bearer_header
from replicator.registry.vendors.vendor import Creator, ProxyTeller, TagRemover, Vendor


class Vendors:
    """Makes the adapter for one registry, as soon as its kind is known.

    *sender* is the registry's own, *send* sends requests for tokens.
    """

    def __init__(
        self,
        sender: Sender,
        keychain: Keychain,
        send: Send,
        *,
        listener: Listener,
        login: str = "",
    ) -> None:
        self._sender = sender
        self._keychain = keychain
        self._send = send
        self._listener = listener
        self._login_name = login or sender.registry
        self._with_other_logins: dict[str, Vendors] = {}
        self._vendors: dict[str, Vendor | None] = {}
        self._proxy_teller: ProxyTeller | None = None

    def of(self, profile: Profile, path: str = "") -> Vendor | None:
        """Return the adapter for *profile*'s kind, with the login for *path*; None if none."""
        if prefix := login_for(path, self._sender.settings.logins):
            return self._with_login(prefix).of(profile)
        if profile.kind not in self._vendors:
            self._vendors[profile.kind] = self._make(profile)
        return self._vendors[profile.kind]

    def _make(self, profile: Profile) -> Vendor | None:
        """Only the adapter that is needed is loaded."""
        match profile.kind:
            case "google":
                from replicator.registry.vendors.google import Google

                return Google(self._sender)
            case "dockerhub" if self._knows_api(profile):
                from replicator.registry.vendors.dockerhub import DockerHub, HubLogin

                gate = self._gate(profile)
                hub = HubLogin(gate, self._login(), self._send, clock=self._sender.clock)
                return DockerHub(Api(self._elsewhere(gate, hub), "v2"))
            case "acr":
                from replicator.registry.vendors.azure import Azure

                return Azure(self._sender)
            case "ecr":
                return self._ecr(profile)
            case "ghcr" if self._knows_api(profile):
                from replicator.registry.vendors.github import GitHub

                login = self._login()
                sender = self._elsewhere(self._gate(profile), FromLogin(login, bearer_header))
                return GitHub(Api(sender, ""), login, self._sender.registry)
            case "gitlab" if self._knows_api(profile):
                from replicator.registry.vendors.gitlab import GitLab

                login = self._login()
                sender = self._elsewhere(self._gate(profile), FromLogin(login, bearer_header))
                return GitLab(Api(sender, "api/v4"), login, self._sender.registry)
            case "quay":
                from replicator.registry.vendors.quay import Quay, oauth_header

                login = self._login()
                api = Api(self._here(FromLogin(login, oauth_header)), "api/v1")
                return Quay(api, self._sender.registry, login)
            case "harbor":
                from replicator.registry.vendors.harbor import HEADERS, Harbor

                api = Api(self.with_password(), "api/v2.0", HEADERS)
                return Harbor(api, self._sender.registry)
            case "zot":
                from replicator.registry.vendors.zot import Zot

                return Zot(self._sender)
            case "msr":
                from replicator.registry.vendors.msr import Msr

                return Msr(Api(self.with_password(), "api/v0"), self._sender.registry)
            case "artifactory":
                from replicator.registry.vendors.artifactory import Artifactory

                api = Api(self.with_password(), "artifactory/api")
                return Artifactory(api, self._sender.registry)
            case _:
                return None

    def _ecr(self, profile: Profile) -> Vendor | None:
        """The API of ECR is beside the registry, at a host that follows from the registry's."""
        from replicator.registry.ecr_host import EcrHost
        from replicator.registry.vendors.ecr import Ecr
        from replicator.registry.vendors.ecr_api import EcrApi

        host = EcrHost.parse(self._sender.settings.name)
        if host is None or not self._knows_api(profile):
            return None
        # The signature is over the whole request, and so among the headers of each.
        login = self._login()
        unsigned = FromLogin(login, lambda credentials: None)
        sender = self._elsewhere(self._gate(replace(profile, api_endpoint=host.api)), unsigned)
        return Ecr(EcrApi(sender, login, host), self._sender.registry)

    def creator(self, profile: Profile, path: str = "") -> Creator | None:
        """Return what makes repositories for *profile*'s kind, None if there is nothing."""
        vendor = self.of(profile, path)
        return vendor if isinstance(vendor, Creator) else None

    def remover(self, profile: Profile, path: str = "") -> TagRemover | None:
        """Return what deletes tags for *profile*'s kind, None where the registry itself does."""
        vendor = self.of(profile, path)
        return vendor if isinstance(vendor, TagRemover) else None

    def proxy_teller(self, profile: Profile, path: str = "") -> ProxyTeller | None:
        """Return what tells proxies for *profile*'s kind, None where there is no such thing."""
        if prefix := login_for(path, self._sender.settings.logins):
            return self._with_login(prefix).proxy_teller(profile)
        if profile.kind == "nexus":
            return self._nexus(profile)
        vendor = self.of(profile)
        return vendor if isinstance(vendor, ProxyTeller) else None

    def _nexus(self, profile: Profile) -> ProxyTeller:
        """Its API lists nothing better than the registry does, and so is no adapter of its own.

        Behind a port of one repository it is elsewhere, where the entry may say.
        """
        from replicator.registry.vendors.nexus import Nexus

        if self._proxy_teller is None:
            sender = self.with_password()
            if self._sender.settings.api_endpoint:
                password = FromLogin(self._login(), basic_header)
                sender = self._elsewhere(self._gate(profile), password)
            self._proxy_teller = Nexus(Api(sender, "service/rest/v1"), self._sender.registry)
        return self._proxy_teller

    def with_password(self) -> Sender:
        """Return what sends the login by Basic, whatever the registry asks for elsewhere."""
        return self._here(FromLogin(self._login(), basic_header))

    def _login(self) -> Login:
        return Login(self._login_name, self._keychain, self._sender.clock)

    def _with_login(self, prefix: str) -> Vendors:
        """Return what makes adapters with the login for paths below *prefix*."""
        if prefix not in self._with_other_logins:
            self._with_other_logins[prefix] = Vendors(
                self._sender,
                self._keychain,
                self._send,
                listener=self._listener,
                login=f"{self._sender.registry}/{prefix}",
            )
        return self._with_other_logins[prefix]

    def _knows_api(self, profile: Profile) -> bool:
        """Whether it is known where the API of just this registry is.

        Behind another endpoint, or under another name, is a mirror or a copy: the vendor's own API
        knows nothing of that, and must not get the login for it.
        """
        settings = self._sender.settings
        is_the_vendors = profile_for(settings.name).kind == profile.kind and not settings.endpoint
        return bool(settings.api_endpoint) or is_the_vendors

    def _gate(self, profile: Profile) -> Gate:
        """Return the gate to the vendor's API where it has an origin of its own.

        The registry's credentials may go there, as the profile or the entry names it.
        """
        settings = self._sender.settings
        return Gate(replace(settings, endpoint=settings.api_endpoint or profile.api_endpoint))

    def _elsewhere(self, gate: Gate, authorizer: Authorizer) -> Sender:
        """Return what sends to another origin, with limits of its own."""
        return self._sending(gate, authorizer, self._sender.limits.beside())

    def _here(self, authorizer: Authorizer) -> Sender:
        """Return what sends to the registry's own origin, within its limits."""
        return self._sending(self._sender.gate, authorizer, self._sender.limits)

    def _sending(self, gate: Gate, authorizer: Authorizer, limits: Limits) -> Sender:
        settings, wire = self._sender.settings, self._sender.wire
        # What its challenges say is of the API and not of the registry.
        knowledge = Knowledge(self._sender.knowledge.profile)
        return Sender(
            settings,
            knowledge,
            Courier(
                settings,
                knowledge,
                gate=gate,
                authenticator=authorizer,
                wire=wire,
                limits=limits,
            ),
            gate=gate,
            wire=wire,
            limits=limits,
            pulls=self._sender.pulls,
            listener=self._listener,
            clock=self._sender.clock,
        )
