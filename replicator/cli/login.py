"""``replicate login`` and ``logout``: logins, kept where Docker keeps them."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Final

import typer

from replicator import bootstrap
from replicator.cli.groups import examples
from replicator.cli.options import Host, PasswordStdin, Username
from replicator.cli.session import Session, session_of
from replicator.errors import ConfigError

if TYPE_CHECKING:
    from replicator.registry.settings import Credentials

LOGIN_EXAMPLES: Final = examples(
    "replicate login registry.example.com -u alice",
    "cat password | replicate login docker.io -u alice --password-stdin",
)
LOGOUT_EXAMPLES: Final = examples("replicate logout registry.example.com")

# In characters. More is no password, and somebody's file by mistake.
_LONGEST: Final = 64 * 1024


def login(
    context: typer.Context,
    host: Host,
    username: Username = "",
    password_stdin: PasswordStdin = False,
) -> None:
    """Log in to a registry, and keep the login where Docker keeps it.

    The login is tried first; one that is refused is not kept. One that a registry does not ask for
    is, as many ask only whoever writes.
    """
    from replicator.cli.running import run_async

    registry = registry_name(host)
    credentials = ask_credentials(username, from_stdin=password_stdin)
    username = credentials.username
    if run_async(
        _login(session_of(context), registry, credentials), loop_factory=bootstrap.new_event_loop
    ):
        print(f"logged in to {registry} as {username}")
    else:
        print(
            f"kept the login of {username} for {registry}, "
            "which asks for none: nobody knows if it is right"
        )


def logout(context: typer.Context, host: Host) -> None:
    """Forget the login of a registry."""
    from replicator.cli.running import run_async

    registry = registry_name(host)
    if run_async(bootstrap.forget_login(registry)):
        print(f"logged out of {registry}")
    else:
        print(f"there was no login for {registry}")


def registry_name(host: str) -> str:
    """Return the name that references have for *host*. Raises InvalidReference."""
    from replicator.oci.reference import RepositoryName, canonical_registry

    name = canonical_registry(host.removeprefix("https://").removesuffix("/"))
    return RepositoryName(name, "any").registry


async def _login(session: Session, registry: str, credentials: Credentials) -> bool:
    """Try a login and keep it; say whether the registry asked for it."""
    was_asked = await bootstrap.check_login(session.config(), registry, credentials)
    await bootstrap.keep_login(registry, credentials)
    return was_asked


def ask_credentials(username: str, *, from_stdin: bool) -> Credentials:
    """Ask for what is missing. A password is never an argument: others can read those."""
    from replicator.registry.settings import Credentials

    if from_stdin:
        if not username:
            raise ConfigError("--password-stdin needs a user name: add -u NAME")
        password = sys.stdin.read(_LONGEST).rstrip("\r\n")
        if not password:
            raise ConfigError("--password-stdin: there was no password in the standard input")
    else:
        if not sys.stdin.isatty():
            raise ConfigError("nobody can be asked for a password here; use --password-stdin")
        username = username or _ask("user name: ")
        password = getpass.getpass("password: ")
    if not username or not password:
        raise ConfigError("a login needs a user name and a password")
    return Credentials(username, password)


def _ask(question: str) -> str:
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()
