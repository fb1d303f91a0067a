"""What can be said of a rule on the command line; the same for ``rule add`` and ``rule edit``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from functools import wraps
from typing import Annotated, Any, Final, get_type_hints

import typer

from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class _Flag:
    """A key of a rule's table, such as ``tags.include``, and the option that sets it.

    *kind* is the type of its value; a list is given one entry at a time.
    """

    option: str
    key: str
    kind: type
    help: str
    metavar: str | None = None

    @property
    def parameter(self) -> str:
        return self.option.partition("/")[0].removeprefix("--").replace("-", "_")

    @property
    def annotation(self) -> Any:
        # A number is read as text, so that an empty one can take it away.
        types: Mapping[type, Any] = {list: list[str] | None, bool: bool | None}
        kind = types.get(self.kind, str | None)
        return Annotated[kind, typer.Option(self.option, help=self.help, metavar=self.metavar)]

    def read(self, given: Any) -> Any:
        """Return what a rule's table has for what was given; None where nothing was."""
        is_number = self.kind is int and given and given.isdecimal()
        return int(given) if is_number else given


_FLAGS: Final = (
    _Flag("--source", "source", str, "What is read: [HOST/]PATH, or a pattern.", "SOURCE"),
    _Flag("--destination", "destinations", list, "Where it goes; may be repeated.", "TEMPLATE"),
    _Flag("--repository", "repositories.include", list, "Only these repositories.", "GLOB"),
    _Flag("--exclude-repository", "repositories.exclude", list, "Not these.", "GLOB"),
    _Flag("--tag-include", "tags.include", list, "Only these tags.", "GLOB"),
    _Flag("--tag-exclude", "tags.exclude", list, "Not these tags.", "GLOB"),
    _Flag("--tag-regex", "tags.regex", list, "Only tags that match as a whole.", "REGEX"),
    _Flag("--tag-exclude-regex", "tags.exclude_regex", list, "Not those.", "REGEX"),
    _Flag("--semver", "tags.semver", str, 'Only this range, such as ">=3.18 <4".', "RANGE"),
    _Flag("--prerelease/--no-prerelease", "tags.prerelease", bool, "Pre-releases count."),
    _Flag("--latest", "tags.latest", int, "Only the latest so many.", "N"),
    _Flag("--order", "tags.order", str, "What the latest are by.", "version|created"),
    _Flag("--newer-than", "tags.newer_than", str, "Only those made since.", "AGE"),
    _Flag("--older-than", "tags.older_than", str, "Only those made before.", "AGE"),
    _Flag("--min-tags", "tags.min_tags", int, "Fewer are a failure.", "N"),
    _Flag("--label", "tags.labels", list, "Only images with this label.", "KEY=GLOB"),
    _Flag("--annotation", "tags.annotations", list, "Only with this annotation.", "KEY=GLOB"),
    _Flag("--artifact-type", "tags.artifact_types", list, "Only of this type.", "TYPE"),
    _Flag("--max-size", "tags.max_size", str, "Nothing larger.", "SIZE"),
    _Flag("--platform", "platforms", list, "Only this platform; may be repeated.", "OS/ARCH"),
    _Flag("--referrers/--no-referrers", "referrers", bool, "Signatures and such are copied."),
    _Flag("--pruned-referrers", "pruned_referrers", str, "Those of a cut index.", "report|repoint"),
    _Flag("--foreign-layers/--no-foreign-layers", "foreign_layers", bool, "Those as well."),
    _Flag("--overwrite", "overwrite", str, "Of tags that differ.", "always|never|if-ours"),
    _Flag("--immutable", "immutable", list, "Tags that never move.", "GLOB"),
    _Flag("--prune", "prune", str, "Whether tags gone from the source go.", "off|mirror"),
    _Flag("--prune-after", "prune_after", str, "How long they have to be gone.", "DURATION"),
    _Flag("--max-prune", "max_prune", int, "So many in a run, at most.", "N"),
    _Flag("--allow-empty/--no-allow-empty", "allow_empty", bool, "No tag is no failure."),
    _Flag("--schedule", "schedule", str, 'When, such as "0 3 * * *".', "CRON"),
    _Flag("--timezone", "timezone", str, "Whose clock that is.", "ZONE"),
    _Flag("--jitter", "jitter", str, "The longest by which it is late.", "DURATION"),
    _Flag("--maintenance", "maintenance", list, "When no run begins by itself.", "WINDOW"),
    _Flag("--objective", "objective", str, "How old the last good run may be.", "DURATION"),
    _Flag("--enabled/--disabled", "enabled", bool, "Whether the rule counts."),
)


def takes_rule_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give *command* all the options; it gets what was said as ``said``, by key."""

    @wraps(command)
    def wrapper(**given: Any) -> None:
        values = {flag.key: flag.read(given.pop(flag.parameter)) for flag in _FLAGS}
        command(**given, said={key: value for key, value in values.items() if value is not None})

    hints = get_type_hints(command, include_extras=True)
    del hints["said"], hints["return"]
    own = inspect.signature(command).parameters
    parameters = [own[name].replace(annotation=kind) for name, kind in hints.items()]
    parameters += map(_parameter, _FLAGS)
    wrapper.__annotations__ = {each.name: each.annotation for each in parameters}
    wrapper.__dict__["__signature__"] = inspect.Signature(parameters)
    return wrapper


def overlaid(table: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule's *table* with what was *said*; an empty text takes a key away."""
    result = deepcopy(dict(table))
    for key, value in said.items():
        outer, _, inner = key.rpartition(".")
        inside = result.setdefault(outer, {}) if outer else result
        if value in ("", [""]):
            inside.pop(inner, None)
        else:
            inside[inner] = value
    return result


def _parameter(flag: _Flag) -> inspect.Parameter:
    return inspect.Parameter(
        flag.parameter,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=flag.annotation,
    )


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any], within: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Yield the keys in which two rules' tables differ, with both values; None where it is not."""
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) or isinstance(new, dict):
            yield from differences(old or {}, new or {}, f"{within}{key}.")
        elif old != new:
            yield within + key, old, new
