"""The tables ``[registries."HOST"]``."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from replicator.config import values
from replicator.config.bandwidth import read_bandwidth
from replicator.config.model import RegistryEntry
from replicator.config.table import Keys, Table, within
from replicator.config.values import Reader
from replicator.errors import ConfigError, InvalidReference
from replicator.oci.manifest import LARGEST_MANIFEST_SIZE
from replicator.oci.reference import RepositoryName, canonical_registry
from replicator.registry.settings import (
    Cloud,
    Create,
    CredentialSource,
    RegistrySettings,
    Timeouts,
    Tls,
)

TIMEOUTS: Final[Keys] = {
    "connect": values.seconds,
    "idle": values.seconds,
    "closing": values.seconds,
}
_TLS_FILES: Final[tuple[str, ...]] = ("ca_file", "cert_file", "key_file")
_SECRETS: Final = ("password", "identity_token")
_WEBHOOK: Final = ("webhook_secret_file", "webhook_secret_env")


def read_registries(value: Any, where: str, folder: Path) -> dict[str, RegistryEntry]:
    """Read all entries; relative paths in them start from *folder*. Raises ConfigError."""
    if not isinstance(value, dict):
        raise values.wrong("tables", value, where, '; write [registries."HOST"] above each')
    table = registry_table(folder)
    entries: dict[str, RegistryEntry] = {}
    logins: list[tuple[str, Any, str]] = []
    for host, given in value.items():
        place = within(where, host)
        _check_quotes(host, given, table.keys, where)
        if host.partition("/")[2] and "://" not in host:
            logins.append((host, given, place))
            continue
        name = _name(host, place)
        if name in entries:
            raise ConfigError(f"{place}: this is {name} again; put both into one table")
        entries[name] = _entry(name, table(given, place), place)
    for host, given, place in logins:
        _add_login(entries, host, login_table(folder)(given, place), place)
    return entries


def read_entry(name: str, given: Any, where: str, folder: Path) -> RegistryEntry:
    """Read one entry, as ``read_registries`` does. Raises ConfigError."""
    return _entry(_name(name, where), registry_table(folder)(given, where), where)


def login_table(folder: Path) -> Table:
    """Return the reader of an entry that is for less than a host."""
    return Table({"credential": credential_table(folder)}, example='[registries."HOST/PATH"]')


def registry_table(folder: Path) -> Table:
    """Return the reader of one entry."""
    file = _file_in(folder, must_exist=True)
    return Table(
        {
            "kind": _kind,
            "endpoint": values.endpoint,
            "api_endpoint": values.endpoint,
            "credential": credential_table(folder),
            "plain_http": values.boolean,
            "insecure": values.boolean,
            "ca_file": file,
            "cert_file": file,
            "key_file": file,
            "proxy": values.proxy,
            "mirrors": values.list_of(values.web_address),
            "resolve_tags": values.boolean,
            "pull_through": values.list_of(_path_or_all),
            "max_concurrency": values.integer(1),
            "max_blobs": values.integer(1),
            "requests_per_second": values.number(0, 1_000_000),
            "bandwidth": read_bandwidth,
            "retries": values.integer(0, 20),
            "longest_wait": values.duration,
            "pull_reserve": values.integer(0),
            "create": values.one_of(Create),
            "timeouts": Table(TIMEOUTS, example='timeouts = { connect = "15s" }'),
            "max_manifest_size": _manifest_size,
            "token_origins": values.list_of(values.origin),
            "upload_origins": values.list_of(values.origin),
            "allowed_networks": values.list_of(_network),
            "webhook_secret_file": _file_in(folder, must_exist=False),
            "webhook_secret_env": values.text,
        },
        example='[registries."HOST"]',
    )


def credential_table(folder: Path) -> Table:
    """Return the reader of a credential, which says where secrets are rather than what."""
    keys: dict[str, Reader[Any]] = {
        "username": values.text,
        "cloud": values.one_of(Cloud),
        "stored": values.text,
    }
    for name in _SECRETS:
        keys[name] = values.secret
        keys[f"{name}_env"] = values.text
        # Read when it is needed: it may be mounted later, or change.
        keys[f"{name}_file"] = _file_in(folder, must_exist=False)
    example = 'credential = { username = "NAME", password_file = "FILE" }'
    return Table(keys, example=example)


def _entry(name: str, given: dict[str, Any], where: str) -> RegistryEntry:
    files = {key: given.pop(key) for key in _TLS_FILES if key in given}
    if "key_file" in files and "cert_file" not in files:
        raise ConfigError(f"{where}.key_file: a key needs its certificate; add cert_file")
    tls = Tls(verify=not given.pop("insecure", False), **files)
    timeouts = Timeouts(**given.pop("timeouts", {}))
    credential = _credential(given.pop("credential", None), within(where, "credential"))
    webhook = {key: given.pop(key) for key in _WEBHOOK if key in given}
    if len(webhook) > 1:
        raise ConfigError(f"{where}: {' and '.join(_WEBHOOK)} say the same; keep one of them")
    settings = RegistrySettings(name, tls=tls, timeouts=timeouts, **given)
    return RegistryEntry(settings, credential, **webhook)


def _add_login(
    entries: dict[str, RegistryEntry], place: str, given: dict[str, Any], where: str
) -> None:
    """Add the login for what is below ``HOST/PATH`` to the entry of the host."""
    host, _, path = place.partition("/")
    name = _name(host, where)
    credential = _credential(given.get("credential"), within(where, "credential"))
    if credential is None:
        raise ConfigError(f"{where}: an entry for a path is for its credential; add it")
    try:
        RepositoryName(name, path)
    except InvalidReference as error:
        raise ConfigError(f"{where}: {error}") from None
    entry = entries.get(name) or RegistryEntry(RegistrySettings(name))
    if path in entry.logins:
        raise ConfigError(f"{where}: this is {name}/{path} again; put both into one table")
    logins = {**entry.logins, path: credential}
    settings = replace(entry.settings, logins=tuple(logins))
    entries[name] = replace(entry, settings=settings, logins=logins)


def _credential(given: dict[str, Any] | None, where: str) -> CredentialSource | None:
    if given is None:
        return None
    _check_credential(given, where)
    return CredentialSource(**given)


def _check_credential(given: dict[str, Any], where: str) -> None:
    for name in _SECRETS:
        ways = _ways(name, given)
        if len(ways) > 1:
            raise ConfigError(f"{where}: {' and '.join(ways)} say the same; keep one of them")
    ways = [way for name in ("cloud", "stored", *_SECRETS) for way in _ways(name, given)]
    if not ways:
        raise ConfigError(
            f"{where}: has no secret; add password_env, password_file, identity_token_file, "
            "cloud or stored"
        )
    if len(ways) > 1:
        raise ConfigError(
            f"{where}: {ways[0]} and {ways[1]} are two ways to log in; keep one of them"
        )
    if ways[0] in ("cloud", "stored") and "username" in given:
        raise ConfigError(f"{where}: {ways[0]} says who logs in; leave username out")
    if ways[0].startswith("password") and "username" not in given:
        raise ConfigError(f"{where}: a password needs a username; add it")


def _ways(name: str, given: dict[str, Any]) -> list[str]:
    """Return by which keys *given* has the secret *name*."""
    return [key for key in (name, f"{name}_env", f"{name}_file") if key in given]


def _check_quotes(host: str, given: Any, keys: Keys, where: str) -> None:
    """Find ``[registries.docker.io]``: without quotes each dot begins a table in a table."""
    names = [host]
    while isinstance(given, dict) and len(given) == 1:
        ((name, given),) = given.items()
        if not isinstance(given, dict) or name in keys:
            break
        names.append(name)
    if len(names) > 1:
        written = ".".join(names)
        raise ConfigError(
            f'{where}.{written}: a host is written in quotes: [registries."{written}"]'
        )


def _name(host: str, where: str) -> str:
    if "://" in host or "/" in host:
        raise ConfigError(
            f"{where}: expected the host as references have it, such as "
            f'"docker.io" or "localhost:5000"; the address of its API goes into endpoint'
        )
    name = canonical_registry(host)
    try:
        RepositoryName(name, "any")
    except InvalidReference as error:
        raise ConfigError(f"{where}: {error}") from None
    return name


def _path_or_all(given: Any, where: str) -> str:
    path: str = values.text(given, where)
    if path != "*":
        try:
            RepositoryName("localhost", path)
        except InvalidReference as error:
            raise ConfigError(f'{where}: {error}; write "*" for all paths') from None
    return path


def _kind(value: Any, where: str) -> str:
    from replicator.registry.profile import all_kinds

    known = all_kinds()
    read = values.text(value, where)
    if read not in known:
        raise ConfigError(
            f'{where}: unknown kind "{values.printable(read)}"; known are {", ".join(known)}'
        )
    return read


def _manifest_size(value: Any, where: str) -> int:
    read = values.size(value, where)
    if not 0 < read <= LARGEST_MANIFEST_SIZE:
        raise ConfigError(f'{where}: "{value}" is not between 1B and 16MiB')
    return read


def _network(value: Any, where: str) -> str:
    try:
        return str(ipaddress.ip_network(values.text(value, where)))
    except ValueError:
        raise values.wrong('a network such as "10.0.0.0/8"', value, where) from None


def _file_in(folder: Path, *, must_exist: bool) -> Reader[Path]:
    def read(value: Any, where: str) -> Path:
        path = folder / Path(values.text(value, where)).expanduser()
        if must_exist and not path.is_file():
            raise ConfigError(f"{where}: there is no file {values.printable(str(path))}")
        return path

    return read
