"""What the commands of a page are run on: hosts that they name, led to registries of the test."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import Block
from tests.support.address import Address
from tests.support.processes import free_port

# What the pages call a registry that is read, and one that is written to with a login.
SOURCES = ("docker.io", "quay.io", "ghcr.io", "gcr.io", "registry.k8s.io")
DESTINATIONS = ("registry.example.com", "backup.example.com")
PASSWORD = "secret-of-the-mirror"
_TABLE = re.compile(r'^\[registries\."([^"/]+)"\]$', re.MULTILINE)
_ANY_TABLE = re.compile(r"^\[", re.MULTILINE)
_HERE = Path(__file__).parent

_WRAPPER = """\
#!/bin/bash
set -o pipefail
# A configuration that the page wrote counts, as it would for its reader.
if [ -e config.toml ]; then unset REPLICATOR_CONFIG; fi
case " $* " in
*" --help "*) exec {python} -m replicator "$@" ;;
*" serve "*)
    if [ -e pids ]; then PORT=0; fi
    {python} -m replicator "$@" --listen "127.0.0.1:$PORT" >serve.log 2>&1 &
    echo $! >>pids
    until grep -q '"serving"' serve.log; do
        kill -0 $! || {{ cat serve.log; exit 1; }}
        sleep 0.05
    done ;;
*" import "*)
    # What it writes is a configuration as those of the pages are.
    {python} -m replicator "$@" | {python} -m tests.docs.stage {source} {destination} ;;
*" --password-stdin "*) exec {python} -m replicator "$@" ;;
*" login "*|*" credential set "*|*" apply "*)
    exec {python} {here}/type_login.py {python} -m replicator "$@" ;;
*) exec {python} -m replicator "$@" ;;
esac
"""
_NEWEST = '$(replicate runs list --json | {python} -c \'import json, sys; \
print(json.load(sys.stdin)["runs"][0]["run"])\')'


@dataclass(frozen=True)
class Stage:
    """A folder to run a page in, and the two registries that all hosts stand for."""

    folder: Path
    source: Address
    destination: Address
    database: str

    def set_up(self) -> dict[str, str]:
        """Lay out the folder, and return the variables that the commands find."""
        wrapper = _WRAPPER.format(
            python=shlex.quote(sys.executable),
            here=_HERE,
            source=self.source.host,
            destination=self.destination.host,
        )
        for place in ("bin", ".venv/bin"):
            (self.folder / place).mkdir(parents=True)
            program = self.folder / place / "replicate"
            program.write_text(wrapper)
            program.chmod(0o755)
        (self.folder / "secrets").mkdir()
        for name in ("hub", "mirror", "password"):
            (self.folder / "secrets" / name).write_text(PASSWORD)
        stage = self.folder / "stage.toml"
        stage.write_text(self.lead(""))
        return {
            "PORT": str(free_port()),
            "REPLICATOR_CONFIG": str(stage),
            "MIRROR_PASSWORD": PASSWORD,
            "EDITOR": "true",
        }

    def script(self, blocks: Sequence[Block], port: str) -> str:
        """Return a script that writes the files of the page, and runs its commands, in order."""
        parts = ["set -euo pipefail", "trap 'echo \"failed: $BASH_COMMAND\" >&2' ERR"]
        for block in blocks:
            if block.file:
                parts.append(f"cat > {block.file} <<'END OF FILE'\n{self.file(block)}END OF FILE")
            elif block.language in ("console", "sh") and not block.excuse:
                parts.append(self.place(block.commands, port))
        return "\n".join(parts)

    def place(self, commands: str, port: str) -> str:
        """Put what is there in the place of what the page can only give as an example."""
        newest = _NEWEST.format(python=shlex.quote(sys.executable))
        return (
            commands.replace("/run/secrets", str(self.folder / "secrets"))
            .replace("127.0.0.1:8080", f"127.0.0.1:{port}")
            .replace("postgresql://replicator@db.example.com/replicator", self.database)
            .replace("20260314-03", newest)
        )

    def file(self, block: Block) -> str:
        """Return a file of the page, which leads to our registries if it configures any."""
        text = block.code.replace("/run/secrets", str(self.folder / "secrets"))
        text = text.replace("postgresql://replicator@db.example.com/replicator", self.database)
        return self.lead(text) if block.language == "toml" else text

    def lead(self, text: str) -> str:
        """Give each registry of a configuration the address of one of ours."""
        named = set(_TABLE.findall(text))
        text = _TABLE.sub(lambda found: f"{found[0]}\n{self._endpoint(found[1])}", text)
        for host in (*SOURCES, *DESTINATIONS):
            if host not in named:
                text += f'\n[registries."{host}"]\n{self._endpoint(host)}\n'
                if host in DESTINATIONS:
                    text += f'credential = {{ username = "mirror", password = "{PASSWORD}" }}\n'
        return text

    def _endpoint(self, host: str) -> str:
        ours = self.destination if host.endswith(".example.com") else self.source
        return f'endpoint = "{ours.host}"\nplain_http = true'


if __name__ == "__main__":
    _stage = Stage(Path(), Address(sys.argv[1]), Address(sys.argv[2]), "")
    sys.stdout.write(_stage.lead(sys.stdin.read()))
