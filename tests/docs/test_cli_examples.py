"""Every example that the help of a command gives, and docs/cli.md with it, works as it stands."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.docs.pages import DOCS, ROOT, Block, blocks
from tests.docs.stage import PASSWORD, Stage
from tests.docs.test_commands import run
from tests.support.builders import push_image
from tests.support.plain_repository import PlainRepository

pytestmark = pytest.mark.slow

_CONFIG = """\
[[rules]]
name = "base-images"
source = "docker.io/library/alpine"
destinations = ["registry.example.com/base/{name}"]
"""
_REGISTRIES = "".join(
    f'[registries."{host}.example.com"]\n'
    f'credential = {{ username = "mirror", password = "{PASSWORD}" }}\n'
    for host in "ab"
)
_OF_THE_DATABASE = _CONFIG.replace("base-images", "others").replace("/base/", "/others/")
_AS_YAML = """\
rules:
  - name: others
    source: docker.io/library/alpine
    destinations: ["registry.example.com/others/{name}"]
"""
# What somebody has who types an example, besides registries and the rule above.
_ADD_ALPINE = (
    "replicate rule add alpine --source alpine --destination 'registry.example.com/hub/{name}'"
)
_SET_HARBOR = (
    "cat password | replicate credential set harbor --host registry.example.com -u robot "
    "--password-stdin"
)
_LOGIN = "cat password | replicate login registry.example.com -u mirror --password-stdin"
_SERVER = "postgresql://replicator@db.example.com/replicator"
BEFORE = {
    "serve": f"export REPLICATOR_DATABASE={_SERVER}\nreplicate db upgrade",
    "verify": "replicate run",
    "explain": _ADD_ALPINE,
    "status": "replicate run",
    "apply": f"cat > rules.toml <<'END'\n{_OF_THE_DATABASE}END",
    "logout": _LOGIN,
    "audit": _ADD_ALPINE,
    "runs retry": "replicate run\nreplicate serve",
    "runs list": "replicate run",
    "runs show": "replicate run",
    "rule edit": _ADD_ALPINE,
    "rule enable": _ADD_ALPINE,
    "rule disable": _ADD_ALPINE,
    "rule delete": _ADD_ALPINE,
    "rule export": _ADD_ALPINE,
    "rule show": "replicate run",
    # Registries of the file are changed there.
    "registry add": f"echo > empty.toml\nexport REPLICATOR_CONFIG=$PWD/empty.toml\n{_SET_HARBOR}",
    "registry delete": "echo > empty.toml\nexport REPLICATOR_CONFIG=$PWD/empty.toml\n"
    "replicate registry add registry.example.com",
    "credential delete": _SET_HARBOR,
    "token revoke": "replicate token create ci --role viewer",
    "db check": "replicate db upgrade",
}
# What needs a run that goes on, or tags that failed.
ELSEWHERE = {
    "replicate runs cancel 20260314-03": ("tests/e2e/test_serve.py", '"runs", "cancel"'),
    "replicate runs retry 20260314-03 --failed": ("tests/e2e/test_serve.py", '"--failed"'),
    "replicate runs retry 20260314-03 --failed --detach": (
        "tests/e2e/test_serve.py",
        '"--detach"',
    ),
}
_HEADING = re.compile(r"^## replicate (.+)$")


@dataclass(frozen=True)
class Examples:
    """The examples of one command."""

    command: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return self.command


def examples() -> Iterator[Examples]:
    """Read the page: below the heading of a command, the block that is not its usage."""
    lines = (DOCS / "cli.md").read_text().splitlines()
    for block in blocks(DOCS / "cli.md"):
        headings = filter(None, map(_HEADING.match, reversed(lines[: block.line])))
        if "[OPTIONS]" not in block.code:
            typed = (line for line in block.code.splitlines() if line not in ELSEWHERE)
            yield Examples(next(headings)[1], tuple(typed))


ALL = list(examples())


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """A stage on which there is more than the other pages name."""
    with PlainRepository(stage.source, "team/app") as repository:
        push_image(repository, "1.2", seed="team")
    return stage


@pytest.mark.parametrize("each", [each for each in ALL if each.lines], ids=str)
async def test_the_examples_of_a_command_work(each, stage):
    page = [_file("stage.toml", _CONFIG + _REGISTRIES), _file("password", f"{PASSWORD}\n")]
    page += [_file("rules.toml", _CONFIG), *_files_of_others()]
    page.append(_commands(f"export REPLICATOR_SECRET_KEY={secrets.token_urlsafe(32)}"))
    page += [_file("rules.yaml", _AS_YAML)] if each.command == "apply" else []
    page.append(_commands(BEFORE.get(each.command, "")))
    page.append(_commands("\n".join(map(_ours, each.lines))))

    code, out = await run(page, stage)

    assert code == 0, out


def test_what_is_prepared_is_for_commands_that_there_are():
    assert BEFORE.keys() <= {each.command for each in ALL}
    assert len(ALL) > 30


def test_what_is_tried_elsewhere_is_tried_there():
    for file, words in ELSEWHERE.values():
        assert words in (ROOT / file).read_text()


def _ours(line: str) -> str:
    """Put the user of our registries, and the way to name a run, for those of the example."""
    return line.replace("-u alice", "-u mirror").replace("20260314-031500-k3f9x2ab", "20260314-03")


def _files_of_others() -> list[Block]:
    """Return the files of other tools, as docs/coming-from.md has them."""
    return [block for block in blocks(DOCS / "coming-from.md") if block.file]


def _file(name: str, code: str) -> Block:
    return Block("", 0, "toml" if name.endswith("toml") else "yaml", name, code, "")


def _commands(code: str) -> Block:
    return Block("", 0, "sh", "", f"{code}\n", "")
