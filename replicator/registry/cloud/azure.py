"""Azure: a token of Entra ID for whoever azure-identity's default chain says that we are."""

from __future__ import annotations

from typing import Final

from replicator.errors import ConfigError, RegistryUnavailable
from replicator.registry.answers import shown
from replicator.registry.cloud.libraries import library
from replicator.registry.cloud.loan import Loan
from replicator.registry.settings import Cloud, Credentials

_AUDIENCE: Final = "https://containerregistry.azure.net"
# Of the clouds that stand apart, by the end of the registry's name.
_OTHER_AUDIENCES: Final = {
    ".azurecr.cn": "https://containerregistry.azure.cn",
    ".azurecr.us": "https://containerregistry.azure.us",
}
# In seconds, for tools such as az that the library may start.
_TOOLS: Final = 10


class Azure:
    """Borrows for one registry; the registry exchanges the token for one of its own.

    The library keeps tokens, and renews them some minutes before they end.
    """

    def __init__(self, registry: str) -> None:
        self._registry = registry
        self._errors = library("azure.core.exceptions", Cloud.AZURE, registry)
        identity = library("azure.identity", Cloud.AZURE, registry)
        self._chain = identity.DefaultAzureCredential(process_timeout=_TOOLS)

    def borrow(self) -> Loan:
        audience = next(
            (each for end, each in _OTHER_AUDIENCES.items() if self._registry.endswith(end)),
            _AUDIENCE,
        )
        try:
            token = self._chain.get_token(f"{audience}/.default")
        except self._errors.ClientAuthenticationError as error:
            raise ConfigError(
                f"{self._registry}: no login from Azure: {_first_line(error)}"
            ) from None
        except self._errors.AzureError as error:
            raise RegistryUnavailable(
                f"{self._registry}: Azure cannot be asked for a login: {_first_line(error)}",
                registry=self._registry,
            ) from None
        return Loan(Credentials("", entra_token=token.token), float(token.expires_on))


def _first_line(error: Exception) -> str:
    """Return what *error* says first; then follows each place that was looked at."""
    return shown(str(error).partition("\n")[0])
