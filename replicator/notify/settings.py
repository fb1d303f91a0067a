"""Channel: over which somebody is told, of which rules, and on which occasions."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from replicator.errors import ConfigError
from replicator.notify.telling import Occasion
from replicator.planning.patterns import Glob
from replicator.values import dataclass

# Most people want to know what is broken, and since when it no longer is.
_USUAL = frozenset({Occasion.FAILURE, Occasion.RECOVERY, Occasion.LAG})


class ChannelKind(enum.StrEnum):
    """How a message gets to where it is read."""

    WEBHOOK = "webhook"
    SLACK = "slack"
    EMAIL = "email"
    ALERTMANAGER = "alertmanager"


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that is given, or is in a variable or in a file, and is read each time anew."""

    value: str = field(default="", repr=False)
    variable: str = ""
    file: Path | None = None

    def read(self, environment: Mapping[str, str]) -> str:
        """Return the secret; empty if there is none. Raises ConfigError if it cannot be read."""
        if self.variable:
            if self.variable not in environment:
                raise ConfigError(f"the environment variable {self.variable} is not set")
            return environment[self.variable]
        if self.file is None:
            return self.value
        try:
            return self.file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self.file} cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class Channel:
    """Where messages go.

    *url* is the address of a webhook, of Slack or of an Alertmanager, and may be a secret by
    itself; for e-mail it is ``smtp://HOST[:PORT]`` or ``smtps://``. *secret* signs webhooks, and
    is the password of *username* for e-mail. *template* is the text of a message, in Jinja.
    """

    name: str
    kind: ChannelKind
    url: Secret
    on: frozenset[Occasion] = _USUAL
    rules: tuple[str, ...] = ()
    secret: Secret = Secret()
    username: str = ""
    sender: str = ""
    to: tuple[str, ...] = ()
    template: str = ""

    def is_about(self, rule: str) -> bool:
        """Say whether somebody is told of a rule over this channel."""
        globs = (Glob.of_tags(text, where=f'notify "{self.name}".rules') for text in self.rules)
        return not self.rules or any(glob.match(rule) is not None for glob in globs)
