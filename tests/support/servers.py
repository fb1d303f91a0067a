"""Real registries on loopback, which nobody here wrote.

Each lives on a free port with its data in a temporary folder, in memory where the machine
allows it, and ends with its context.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

from tests.support import distribution_config, tools
from tests.support.access_log import Request, parse
from tests.support.address import Address, Credentials
from tests.support.certificates import Authority
from tests.support.folders import data_folder
from tests.support.processes import Command, ServerProcess, serving
from tests.support.token_server import TokenServer


@dataclass(frozen=True, slots=True)
class Server:
    """A running registry: where it is, and what it was asked."""

    kind: str
    address: Address
    process: ServerProcess
    upstream: Server | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count, repr=False)

    @property
    def host(self) -> str:
        return self.address.host

    def mark(self) -> int:
        """Give the place in the log where the requests from now on will stand."""
        text, since = f"mark-{next(self._numbers)}.", len(self.process.lines)
        self.address.knock("/v2/", text)
        return self.process.wait_for_line(text, since=since) + 1

    def requests(self, since: int = 0) -> list[Request]:
        """List the requests that were answered after *since*, which `mark` gave.

        Servers write a request down before its answer is complete; for a large blob, right
        after it. The two requests of our own that come later leave the time for that.
        """
        self.mark()
        found = map(parse, self.process.lines[since : self.mark()])
        return [request for request in found if request and not request.is_knock]


@contextmanager
def distribution(
    version: Literal[2, 3],
    *,
    credentials: Credentials | None = None,
    tokens: TokenServer | None = None,
    authority: Authority | None = None,
    upstream: Server | None = None,
    notices: tuple[str, str] | None = None,
) -> Iterator[Server]:
    """Run distribution: Debian's 2.8, or 3.

    With *credentials* it asks for them by Basic authentication, with *tokens* for a token of
    that server. With an *authority* it speaks TLS. With an *upstream* it is a pull-through
    proxy, which takes no pushes. It sends *notices* of pushes to the first, a URL, with the
    second as its Authorization header.
    """
    with data_folder() as folder:
        config = distribution_config.plain(folder)
        if credentials:
            config["auth"] = distribution_config.basic_auth(folder, credentials)
        if tokens:
            config["auth"] = distribution_config.token_auth(tokens)
        if authority:
            config["http"]["tls"] = distribution_config.tls(authority.issue(folder, "server"))
        if upstream:
            config["proxy"] = {"remoteurl": upstream.address.url}

        if notices:
            config["notifications"] = distribution_config.notifications(*notices)

        def command(host: str) -> Command:
            config["http"]["addr"] = host
            file = folder / "config.yml"
            file.write_text(json.dumps(config))  # JSON is YAML
            program = (
                tools.installed("docker-registry") if version == 2 else tools.built("registry")
            )
            return [program, "serve", file]

        address = Address(
            host="",
            credentials=tokens.credentials if tokens else credentials,
            ca_file=authority.certificate if authority else None,
        )
        with _running(f"distribution {version}", command, address, upstream) as server:
            yield server


@contextmanager
def crane() -> Iterator[Server]:
    """Run the registry of crane, which is lax: no mounts, no checks of what a manifest names."""
    with data_folder() as folder:

        def command(host: str) -> Command:
            program = tools.built("crane")
            return [program, "registry", "serve", "--address", host, "--disk", folder]

        with _running("crane", command, Address(host="")) as server:
            yield server


@contextmanager
def cue() -> Iterator[Server]:
    """Run cue's registry, which keeps everything in memory."""

    def command(host: str) -> Command:
        return [tools.built("cue"), "mod", "registry", host]

    with _running("cue", command, Address(host=""), says="listening on") as server:
        yield server


@contextmanager
def _running(
    kind: str,
    command: Callable[[str], Command],
    address: Address,
    upstream: Server | None = None,
    **options: str,
) -> Iterator[Server]:
    def at(port: int) -> Address:
        return replace(address, host=f"127.0.0.1:{port}")

    def knock(port: int, text: str) -> None:
        at(port).knock("/v2/", text)

    with serving(lambda port: command(at(port).host), knock, **options) as (process, port):
        yield Server(kind, at(port), process, upstream)
