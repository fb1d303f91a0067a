"""Gcp: an access token of Google for whoever google-auth's default chain says that we are."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, Final

from replicator.errors import ConfigError, RegistryUnavailable
from replicator.registry.answers import shown
from replicator.registry.cloud.libraries import library
from replicator.registry.cloud.loan import Loan
from replicator.registry.settings import Cloud, Credentials

# The narrower scopes know nothing of writing to Artifact Registry; rights are given by roles.
_SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)
_USER: Final = "oauth2accesstoken"


class Gcp:
    """Borrows for one registry. A token is good for an hour, and for whatever its owner may use."""

    def __init__(self, registry: str) -> None:
        self._registry = registry
        self._auth = library("google.auth", Cloud.GCP, registry)
        self._errors = library("google.auth.exceptions", Cloud.GCP, registry)
        self._transport = library("google.auth.transport.requests", Cloud.GCP, registry)
        self._requests = library("requests", Cloud.GCP, registry)
        self._found: Any = None
        self._token: Loan | None = None

    def borrow(self) -> Loan:
        if self._token is None or self._token.is_due(time.time()):
            try:
                self._token = self._renewed()
            except self._errors.TransportError as error:
                raise RegistryUnavailable(
                    f"{self._registry}: Google cannot be asked for a login: {shown(str(error))}",
                    registry=self._registry,
                ) from None
            except self._errors.GoogleAuthError as error:
                raise ConfigError(
                    f"{self._registry}: no login from Google: {shown(str(error))}"
                ) from None
        return self._token

    def _renewed(self) -> Loan:
        if self._found is None:
            self._found, _ = self._auth.default(scopes=_SCOPES)
        with self._requests.Session() as session:
            self._found.refresh(self._transport.Request(session))
        # Its time has no zone, and is UTC.
        ends = self._found.expiry or datetime.fromtimestamp(time.time() + 3600, UTC)
        return Loan(Credentials(_USER, self._found.token), ends.replace(tzinfo=UTC).timestamp())
