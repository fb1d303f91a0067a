"""Aws: a registry token of ECR for whoever botocore's default chain says that we are."""

from __future__ import annotations

import base64
import time
from typing import Any, Final

from replicator.errors import ConfigError, RegistryUnavailable
from replicator.registry.answers import shown
from replicator.registry.cloud.libraries import library
from replicator.registry.cloud.loan import Loan
from replicator.registry.ecr_host import EcrHost
from replicator.registry.settings import AwsKeys, Cloud, Credentials

# In seconds.
_CONNECT: Final = 5
_READ: Final = 10
_ATTEMPTS: Final = 2


class Aws:
    """Borrows for one registry; the keys that sign requests to the API of ECR go with the token.

    A token is good for twelve hours and for every registry that the caller may use. botocore
    renews the keys of roles by itself, well before they end.
    """

    def __init__(self, registry: str) -> None:
        self._registry = registry
        host = EcrHost.parse(registry)
        if host is None:
            raise ConfigError(
                f'{registry}: cloud = "aws" is for the hosts of ECR, such as '
                "123456789012.dkr.ecr.eu-central-1.amazonaws.com; "
                "its address goes into endpoint if it is reached by another"
            )
        self._host = host
        self._session = library("botocore.session", Cloud.AWS, registry).get_session()
        self._errors = library("botocore.exceptions", Cloud.AWS, registry)
        self._token: Loan | None = None

    def borrow(self) -> Loan:
        try:
            keys = self._keys()
            if self._token is None or self._token.is_due(time.time()):
                self._token = self._authorize()
        except self._errors.ClientError as error:
            raise self._refused(error) from None
        except self._errors.HTTPClientError as error:
            raise RegistryUnavailable(
                f"{self._registry}: AWS cannot be reached: {shown(str(error))}",
                registry=self._registry,
            ) from None
        except self._errors.BotoCoreError as error:
            raise ConfigError(f"{self._registry}: no login from AWS: {shown(str(error))}") from None
        login = self._token.credentials
        return Loan(Credentials(login.username, login.password, aws=keys), self._token.ends)

    def _keys(self) -> AwsKeys:
        found = self._session.get_credentials()
        if found is None:
            raise ConfigError(
                f"{self._registry}: there are no AWS credentials: not in the environment, in a "
                "profile, nor from a container or an instance"
            )
        keys = found.get_frozen_credentials()
        return AwsKeys(keys.access_key, keys.secret_key, keys.token or "")

    def _authorize(self) -> Loan:
        """Call GetAuthorizationToken, in the region of the registry."""
        client = self._session.create_client(
            "ecr-public" if self._host.is_public else "ecr",
            region_name=self._host.region,
            config=self._config(),
        )
        try:
            data = client.get_authorization_token()["authorizationData"]
        finally:
            client.close()
        given = data[0] if isinstance(data, list) else data
        username, _, password = (
            base64.b64decode(given["authorizationToken"]).decode().partition(":")
        )
        return Loan(Credentials(username, password), given["expiresAt"].timestamp())

    def _config(self) -> Any:
        return library("botocore.config", Cloud.AWS, self._registry).Config(
            connect_timeout=_CONNECT,
            read_timeout=_READ,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            use_fips_endpoint=self._host.fips,
            use_dualstack_endpoint=self._host.dual_stack,
        )

    def _refused(self, error: Any) -> ConfigError | RegistryUnavailable:
        """Return the error for an answer of AWS that is none of success."""
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        words = f"{self._registry}: AWS gives no login: {shown(str(error))}"
        if status >= 500 or error.response.get("Error", {}).get("Code") == "ThrottlingException":
            return RegistryUnavailable(words, status=status, registry=self._registry)
        return ConfigError(words)
