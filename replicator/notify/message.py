"""Message: several notices as one text, so that ten rules that fail together are told once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from replicator.errors import ConfigError
from replicator.notify.telling import Notice, Occasion, Topic
from replicator.values import dataclass

_TITLES: Final = {
    Occasion.FAILURE: "failing",
    Occasion.LAG: "late",
    Occasion.RECOVERY: "well again",
    Occasion.CHANGE: "changed",
}
# A template is a program of sorts, written by whoever runs the service.
_LONGEST_TEXT: Final = 64 * 1024
# How long an Alertmanager believes that a rule is broken when it hears nothing more.
_LASTING: Final = timedelta(days=30)
_ALERTS: Final = {Topic.RUNS: "ReplicatorRuleFailing", Topic.LAG: "ReplicatorRuleLagging"}


@dataclass(frozen=True, slots=True)
class Message:
    """What goes over a channel at once: each notice with its topic, worst first."""

    notices: Sequence[tuple[Topic, Notice]]

    @property
    def subject(self) -> str:
        """How many rules are failing, late, well again or changed."""
        numbers = {
            title: sum(notice.occasion is occasion for _, notice in self.notices)
            for occasion, title in _TITLES.items()
        }
        told = ", ".join(f"{number} {title}" for title, number in numbers.items() if number)
        return f"replicate: {told}"

    def text(self, template: str = "") -> str:
        """Return a line for each notice, or what *template* makes of them. Raises ConfigError."""
        if template:
            return render(template, self)
        return "\n".join(notice.text for _, notice in self.notices)

    def document(self) -> dict[str, Any]:
        """Return what programs read."""
        return {
            "subject": self.subject,
            "notices": [msgspec.to_builtins(notice) for _, notice in self.notices],
        }

    def alerts(self) -> list[dict[str, Any]]:
        """Return alerts as an Alertmanager takes them; one that is over ends now."""
        return [_alert(topic, notice) for topic, notice in self.notices if topic in _ALERTS]


def render(template: str, message: Message) -> str:
    """Fill in a Jinja template, which sees ``subject`` and ``notices`` and nothing else.

    Raises ConfigError when it is wrong.
    """
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(autoescape=False)
    try:
        text = environment.from_string(template).render(message.document())
    except Exception as error:
        # It is a program, which may go wrong in any way.
        raise ConfigError(f"the template cannot be filled in: {error}") from error
    return text[:_LONGEST_TEXT]


def check_template(template: str) -> None:
    """Raise ConfigError unless *template* can be read as one."""
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    try:
        ImmutableSandboxedEnvironment().from_string(template)
    except TemplateError as error:
        raise ConfigError(f"is not a template: {error}") from error


def _alert(topic: Topic, notice: Notice) -> dict[str, Any]:
    is_over = notice.occasion is Occasion.RECOVERY
    ends_at = notice.at if is_over else notice.at + _LASTING
    return {
        "labels": {"alertname": _ALERTS[topic], "rule": notice.rule, "severity": "warning"},
        "annotations": {"summary": notice.text, "run": notice.run},
        "endsAt": ends_at.isoformat(),
    } | ({} if is_over else {"startsAt": notice.at.isoformat()})
