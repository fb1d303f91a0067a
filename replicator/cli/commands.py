"""Commands by their names: each one is loaded and built when somebody needs it.

There are forty; to build all of them for one took 0.03 s, and loading them 0.02 s more.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_command

from replicator.cli.interruption import Interrupted


class _Place(NamedTuple):
    """Where a command is: a module of this package, a function of it, and its examples there."""

    module: str
    function: str
    examples: str = "EXAMPLES"


class _Group(NamedTuple):
    """Where a group of commands is: a module of this package that has an ``app``."""

    module: str


# In the order of the help.
_PLACES: Final[Mapping[str, _Place | _Group]] = {
    "copy": _Place("copy", "copy"),
    "run": _Place("run", "run", "RUN_EXAMPLES"),
    "plan": _Place("run", "plan", "PLAN_EXAMPLES"),
    "serve": _Place("serve", "serve"),
    "apply-plan": _Place("apply_plan", "apply_plan"),
    "verify": _Place("verify", "verify"),
    "explain": _Place("explain", "explain"),
    "status": _Place("status", "status"),
    "apply": _Place("apply", "apply"),
    "login": _Place("login", "login", "LOGIN_EXAMPLES"),
    "logout": _Place("login", "logout", "LOGOUT_EXAMPLES"),
    "audit": _Place("audit", "audit"),
    "import": _Place("importing", "import_"),
    "demo": _Place("demo", "demo"),
    "runs": _Group("runs"),
    "rule": _Group("rules"),
    "registry": _Group("registry"),
    "credential": _Group("credentials"),
    "token": _Group("tokens"),
    "db": _Group("database"),
}


class Program(TyperGroup):
    """The group of all commands, which are not built before somebody needs them."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()  # type: ignore[assignment]

    def invoke(self, ctx: Any) -> Any:
        """Carry out a command; Ctrl-C ends it also before it has begun to work."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted(signal.SIGINT) from None


class _Commands(Mapping[str, Any]):
    """All commands; whoever looks only at the names loads none."""

    def __init__(self) -> None:
        self._built: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._built:
            self._built[name] = _build(name, _PLACES[name])
        return self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)


def _build(name: str, place: _Place | _Group) -> Any:
    """Load a command or a group of commands, and let Typer build it in a group of its own."""
    around = typer.Typer(add_completion=False, rich_markup_mode=None)
    around.callback()(lambda: None)
    module = import_module(f"replicator.cli.{place.module}")
    if isinstance(place, _Group):
        around.add_typer(module.app, name=name)
    else:
        command = around.command(name=name, epilog=getattr(module, place.examples))
        command(getattr(module, place.function))
    group: Any = get_command(around)
    return group.commands[name]
