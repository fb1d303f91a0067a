"""Distribution's own token server, for registries that ask for Bearer tokens."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import tools
from tests.support.address import Address, Credentials
from tests.support.certificates import Authority
from tests.support.folders import data_folder
from tests.support.htpasswd import write_htpasswd
from tests.support.key_set import write_key_set
from tests.support.processes import Command, ServerProcess, serving

ISSUER = "replicator-tests"
SERVICE = "registry.test"


@dataclass(frozen=True, slots=True)
class TokenServer:
    """A running token server: it lets its one user do all in the repositories below its name.

    A registry that trusts the *certificate* and the *key_set* trusts the tokens.
    """

    address: Address
    certificate: Path
    key_set: Path
    process: ServerProcess

    @property
    def realm(self) -> str:
        return f"{self.address.url}/token/"

    @property
    def credentials(self) -> Credentials:
        assert self.address.credentials is not None
        return self.address.credentials


@contextmanager
def token_server(credentials: Credentials) -> Iterator[TokenServer]:
    """Run a token server that knows one user and has a signing key of its own."""
    with data_folder() as folder:
        signer = Authority(folder, name="Token signer")
        key_set = write_key_set(signer.certificate)
        passwords = write_htpasswd(folder, credentials)

        def at(port: int) -> Address:
            return Address(f"127.0.0.1:{port}", credentials)

        def command(port: int) -> Command:
            options: dict[str, str | Path] = {
                "-addr": at(port).host,
                "-realm": f"{at(port).url}/token/",
                "-issuer": ISSUER,
                "-key": signer.files.key,
                "-passwd": passwords,
            }
            return [tools.built("token-server"), *itertools.chain.from_iterable(options.items())]

        def knock(port: int, text: str) -> None:
            at(port).knock("/token/", text)

        with serving(command, knock) as (process, port):
            yield TokenServer(at(port), signer.certificate, key_set, process)
