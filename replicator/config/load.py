"""Reading the configuration: command line before environment before file before defaults."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from replicator.config import values
from replicator.config.model import Config, ServiceSettings
from replicator.config.registries import read_registries
from replicator.config.rules import read_rules
from replicator.config.table import Keys, Table
from replicator.errors import ConfigError

if TYPE_CHECKING:
    from replicator.notify.settings import Channel
    from replicator.oidc.settings import OidcSettings

_DEFAULT_FILE: Final = Path("config.toml")
_DATABASES: Final = ("sqlite:///", "postgresql://", "postgres://")
_TOML_PLACE: Final = r"(.*) \(at line (\d+), column (\d+)\)"


def load_config(
    path: Path | None, environment: Mapping[str, str], *, database: str | None = None
) -> Config:
    """Read the configuration from *path*, else $REPLICATOR_CONFIG, else ./config.toml.

    Only the last of them may be missing. *database*, from the command line, goes before
    $REPLICATOR_DATABASE, which goes before the file. Raises ConfigError.
    """
    file = _find_file(path, environment)
    config = Config() if file is None else _read_file(file)
    chosen = _chosen_database(database, environment)
    if not chosen:
        return config
    return replace(config, service=replace(config.service, database=chosen))


def service_table(folder: Path) -> Table:
    """Return the reader of ``[service]``."""

    def database(value: Any, where: str) -> str:
        return _below(folder, check_database(value, where))

    keys: Keys = {
        "database": database,
        "confirm_after": values.duration,
        "confirm_share": values.number(0, 1),
        "concurrency": values.integer(1),
        "docker_config": values.boolean,
        "listen": values.listen,
        "grace": values.duration,
        "keep_history": values.duration,
        "keep_runs": values.integer(1),
        # Read when it is needed: most commands do without.
        "secret_key_file": lambda value, where: folder / Path(values.text(value, where)),
        "oidc": lambda value, where: _oidc(value, where, folder),
    }
    return Table(keys, example="[service]")


def check_database(value: Any, where: str) -> str:
    """Read the URL of a database; no message shows it, as there may be a password in it."""
    url = values.text(value, where)
    if not url.startswith(_DATABASES):
        raise ConfigError(
            f"{where}: expected sqlite:///FILE or postgresql://USER@HOST/NAME, "
            f"got something that begins with {url.partition(':')[0][:20]!r}"
        )
    return url


def _find_file(path: Path | None, environment: Mapping[str, str]) -> Path | None:
    if path is not None:
        return path
    if named := environment.get("REPLICATOR_CONFIG"):
        return Path(named)
    return _DEFAULT_FILE if _DEFAULT_FILE.exists() else None


def _chosen_database(option: str | None, environment: Mapping[str, str]) -> str:
    """Return what the command line or else the environment says; empty if neither does."""
    if option is not None:
        return check_database(option, "--database")
    variable = environment.get("REPLICATOR_DATABASE")
    return check_database(variable, "$REPLICATOR_DATABASE") if variable else ""


def _read_file(file: Path) -> Config:
    folder = file.parent
    where = f"{file}:"
    document = Table(
        {
            "service": service_table(folder),
            "registries": lambda value, where: read_registries(value, where, folder),
            "rules": lambda value, _: read_rules(value, f"{file}:"),
            "notify": lambda value, _: _channels(value, f"{file}:", folder),
        },
        example="a table",
    )
    given = document(parse_toml(file), where)
    return Config(
        path=file,
        service=ServiceSettings(**given.get("service", {})),
        registries=given.get("registries", {}),
        rules=given.get("rules", ()),
        channels=given.get("notify", ()),
    )


def _channels(value: Any, where: str, folder: Path) -> tuple[Channel, ...]:
    # Only files that have channels pay for what it takes to read them.
    from replicator.config.notify import read_channels

    return read_channels(value, where, folder)


def _oidc(value: Any, where: str, folder: Path) -> OidcSettings:
    from replicator.config.oidc import read_oidc

    return read_oidc(value, where, folder)


def parse_toml(file: Path) -> dict[str, Any]:
    """Read TOML; what is no TOML is shown with its line and column. Raises ConfigError."""
    return parse_toml_of(read_bytes(file), str(file))


def parse_toml_of(content: bytes, file: str) -> dict[str, Any]:
    """Read TOML that is there already; *file* is what messages call it. Raises ConfigError."""
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        from replicator.config.toml_hints import encoding_hint

        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{file}:{line}: is not UTF-8 text{_behind(encoding_hint(content))}"
        ) from None
    # Not only TOMLDecodeError: numbers of thousands of digits and lists in thousands of lists
    # meet limits of Python.
    except (ValueError, RecursionError) as error:
        raise ConfigError(_syntax_error(file, content.decode("utf-8-sig"), str(error))) from None


def read_bytes(file: Path) -> bytes:
    """Read a file that somebody named. Raises ConfigError."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{file}: there is no such file") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None


def _syntax_error(file: str, content: str, message: str) -> str:
    # As the library counts them; what else Python takes for the end of a line is none in TOML.
    lines = content.replace("\r\n", "\n").split("\n")
    if found := re.fullmatch(_TOML_PLACE, message, re.DOTALL):
        reason, number, column = found[1], int(found[2]), int(found[3])
    else:
        reason, at_end, _ = message.partition(" (at end of document)")
        if not at_end:
            return f"{file}: {reason}"
        if len(lines) > 1 and not lines[-1]:
            lines.pop()
        number, column = len(lines), len(lines[-1]) + 1
    from replicator.config.toml_hints import Slip, encoding_hint, hint

    above = "".join(f"{line}\n" for line in lines[: number - 1])
    said = hint(Slip(reason, above, lines[number - 1], column - 1))
    said = said or encoding_hint(content.encode())
    return f"{file}:{number}:{column}: {reason}{_behind(said)}"


def _behind(said: str) -> str:
    return f"; {said}" if said else ""


def _below(folder: Path, url: str) -> str:
    """Let a relative path in an SQLite URL start from *folder*."""
    if not url.startswith("sqlite:///"):
        return url
    path, question, parameters = url.removeprefix("sqlite:///").partition("?")
    return f"sqlite:///{folder / path}{question}{parameters}"
