"""Which vendor's API goes with which kind of registry."""

from __future__ import annotations

from replicator.registry.keychain import Keychain
from replicator.registry.profile import Profile
from replicator.registry.sending import Sender
from replicator.registry.vendors.vendor import Vendor


class Vendors:
    """Makes the adapter for one registry, as soon as its kind is known."""

    def __init__(self, sender: Sender, keychain: Keychain) -> None:
        self._sender = sender
        self._keychain = keychain
        self._vendors: dict[str, Vendor | None] = {}

    def of(self, profile: Profile) -> Vendor | None:
        """Return the adapter for *profile*'s kind, None if there is none."""
        if profile.kind not in self._vendors:
            self._vendors[profile.kind] = self._make(profile)
        return self._vendors[profile.kind]

    def _make(self, profile: Profile) -> Vendor | None:
        match profile.kind:
            case "google":
                from replicator.registry.vendors.google import Google

                return Google(self._sender)
            case _:
                return None
