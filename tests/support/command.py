"""The command line as its users have it: a process, in a folder and a home of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_PATIENCE = 120.0  # seconds


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left: its exit code, and what it wrote where."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one line that says what is wrong. Fails where there is more, or a trace."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("replicate: "), self.err
        return lines[0].removeprefix("replicate: ")


@dataclass(frozen=True, slots=True)
class CommandLine:
    """Runs ``replicate`` in *folder*, where it finds nothing of the machine's own logins.

    What takes longer than *patience*, in seconds, fails.
    """

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    patience: float = _PATIENCE

    def write_config(self, text: str, name: str = "config.toml") -> Path:
        file = self.folder / name
        file.write_text(text, "utf-8")
        return file

    async def __call__(self, *arguments: str | Path, stdin: str = "") -> Done:
        """Run a command to its end."""
        process = await self.start(*arguments, stdin=PIPE)
        try:
            async with asyncio.timeout(self.patience):
                out, err = await process.communicate(stdin.encode())
        finally:
            await _end(process)
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())

    @asynccontextmanager
    async def started(
        self, *arguments: str | Path, module: str = "replicator"
    ) -> AsyncIterator[Process]:
        """Start a command; it is ended with the block, if it has not ended by itself."""
        process = await self.start(*arguments, module=module)
        try:
            async with asyncio.timeout(self.patience):
                yield process
        finally:
            await _end(process)

    async def start(
        self,
        *arguments: str | Path,
        stdin: int = DEVNULL,
        stdout: int = PIPE,
        stderr: int = PIPE,
        module: str = "replicator",
    ) -> Process:
        """Start a command; who does that ends it. *module* is what Python runs."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *arguments,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=self.folder,
            env=environment(self.folder, self.variables),
        )


def environment(folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a user who lives in *folder*."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {
        **kept,
        "HOME": str(folder),
        "PYTHONPATH": str(_ROOT),
        "PYTHONWARNINGS": "error",
        **variables,
    }


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.communicate()
