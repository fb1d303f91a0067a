"""Docker's credential helpers: programs that keep passwords, spoken to over their pipes.

(docker/docker-credential-helpers, "Development")
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
from collections.abc import Mapping
from typing import Any, Final

from replicator.errors import ConfigError
from replicator.oci.strict_json import parse_json
from replicator.registry.answers import shown
from replicator.registry.settings import Credentials

# In seconds; helpers of clouds ask their cloud.
_PATIENCE: Final = 30.0
# Part of a program's name, which must not lead to another folder.
_SUFFIX: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_NOT_FOUND: Final = "credentials not found in native keychain"
# The user name of an identity token.
_IDENTITY_USER: Final = "<token>"


class CredentialHelper:
    """The program ``docker-credential-SUFFIX``; raises ConfigError when it does not do its job.

    It gets *environment*, or ours if that is None.
    """

    def __init__(self, suffix: str, *, environment: Mapping[str, str] | None = None) -> None:
        if not re.fullmatch(_SUFFIX, suffix):
            raise ConfigError(f"{shown(suffix)!r} cannot be a credential helper's name")
        self._program = f"docker-credential-{suffix}"
        self._environment = environment

    async def get(self, server: str) -> Credentials | None:
        """Return the credentials for *server*, None if the helper has none."""
        code, output = await self._run("get", server)
        if code != 0:
            if _NOT_FOUND in output:
                return None
            raise self._failed(output)
        return self._read(output)

    async def store(self, server: str, credentials: Credentials) -> None:
        """Keep *credentials* for *server*."""
        by_token = bool(credentials.identity_token)
        entry = {
            "ServerURL": server,
            "Username": _IDENTITY_USER if by_token else credentials.username,
            "Secret": credentials.identity_token if by_token else credentials.password,
        }
        code, output = await self._run("store", json.dumps(entry))
        if code != 0:
            raise self._failed(output)

    async def erase(self, server: str) -> bool:
        """Forget the credentials for *server*; False if there were none."""
        code, output = await self._run("erase", server)
        if code != 0 and _NOT_FOUND not in output:
            raise self._failed(output)
        return code == 0

    async def _run(self, action: str, line: str) -> tuple[int, str]:
        """Run the program with *line* on its standard input, without a shell."""
        try:
            process = await self._start(action)
        except OSError as error:
            raise ConfigError(f"{self._program} cannot be started: {error.strerror}") from None
        try:
            async with asyncio.timeout(_PATIENCE):
                output, _ = await process.communicate(f"{line}\n".encode())
        except TimeoutError:
            raise ConfigError(f"{self._program} did not end within {_PATIENCE:.0f} s") from None
        finally:
            await _end(process)
        return process.returncode or 0, output.decode("utf-8", "replace")

    async def _start(self, action: str) -> asyncio.subprocess.Process:
        starting = asyncio.create_task(
            asyncio.create_subprocess_exec(
                self._program,
                action,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=self._environment,
                start_new_session=True,
            )
        )
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # Given up while it starts. The library would end the program alone, and leave behind
            # whomever it has started by then.
            with contextlib.suppress(OSError):
                await _end(await starting)
            raise

    def _read(self, output: str) -> Credentials:
        try:
            answer: Any = parse_json(output.encode())
            username, secret = answer["Username"], answer["Secret"]
        except (ValueError, KeyError, TypeError):
            username = secret = None
        if not isinstance(username, str) or not isinstance(secret, str) or not secret:
            raise ConfigError(f"{self._program} did not answer with a user name and a secret")
        if username == _IDENTITY_USER:
            return Credentials("", identity_token=secret)
        return Credentials(username, password=secret)

    def _failed(self, output: str) -> ConfigError:
        """Return the error for a failure, whose reason helpers print on standard output."""
        return ConfigError(f"{self._program} failed: {shown(output) or 'it does not say why'}")


async def _end(process: asyncio.subprocess.Process) -> None:
    """Make sure that nothing of a program is left, nor of those that it started."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
