"""A rule in the user's editor, as TOML."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from replicator.config.rule_file import read_rule_file, to_toml
from replicator.errors import ConfigError, RuleConflict
from replicator.planning.rule import Rule

_EDITOR: Final = "vi"


@contextmanager
def editing(rule: Rule) -> Iterator[Rule]:
    """Let the user edit *rule*, and hand out what came of it, to be saved.

    Raises ConfigError if it cannot be read. When it is not saved either, the text is kept, and
    the message says where.
    """
    file = _written(to_toml([rule]))
    try:
        _edit(file)
        yield _read(file, rule.name)
    except (ConfigError, RuleConflict) as error:
        raise type(error)(f"{error} (nothing was changed; your text is in {file})") from None
    file.unlink()


def _written(text: str) -> Path:
    descriptor, name = tempfile.mkstemp(prefix="replicate-rule-", suffix=".toml")
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return Path(name)


def _edit(file: Path) -> None:
    """Wait for the editor that the environment names."""
    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _EDITOR
    try:
        done = subprocess.run([*shlex.split(chosen), str(file)], check=False)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the editor {chosen!r} cannot be started ({error}); set $EDITOR, or say with options "
            "what to change"
        ) from None
    if done.returncode:
        raise ConfigError(f"the editor ended with {done.returncode}")


def _read(file: Path, name: str) -> Rule:
    rules = read_rule_file(file)
    if len(rules) != 1 or rules[0].name != name:
        raise ConfigError(f"{file}: there has to be the rule {name!r} and no other")
    return rules[0]
