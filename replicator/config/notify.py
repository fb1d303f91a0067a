"""The tables ``[[notify]]``: over which channels people are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from replicator.config import values
from replicator.config.rule_patterns import read_rule_patterns
from replicator.config.table import Keys, Table
from replicator.errors import ConfigError
from replicator.notify.settings import Channel, ChannelKind, Secret
from replicator.notify.telling import Occasion

_EXAMPLE: Final = '[[notify]] and below it name = "…", kind = "slack"'
_MAIL_ONLY: Final = ("username", "sender", "to", "password_env", "password_file")


def notify_table(folder: Path) -> Table:
    """Return the reader of one channel; relative paths start from *folder*."""

    def file(value: Any, where: str) -> Path:
        return folder / values.text(value, where)

    keys: Keys = {
        "name": values.text,
        "kind": values.one_of(ChannelKind),
        "url": values.text,
        "url_env": values.text,
        "url_file": file,
        "on": values.list_of(values.one_of(Occasion)),
        "rules": read_rule_patterns,
        "template": values.text,
        "secret_env": values.text,
        "secret_file": file,
        "username": values.text,
        "password_env": values.text,
        "password_file": file,
        "sender": values.text,
        "to": values.list_of(values.text),
    }
    return Table(keys, example=_EXAMPLE)


def read_channels(value: Any, where: str, folder: Path) -> tuple[Channel, ...]:
    """Read all channels. Raises ConfigError."""
    if not isinstance(value, list):
        fix = "; write [[notify]], with two brackets, above each channel"
        raise values.wrong("a list of tables", value, f"{where} notify", fix)
    channels: dict[str, Channel] = {}
    for number, given in enumerate(value, start=1):
        channel = _channel(given, number, where, notify_table(folder))
        if channel.name in channels:
            raise ConfigError(
                f'{where} notify "{channel.name}": two channels have this name; rename one'
            )
        channels[channel.name] = channel
    return tuple(channels.values())


def _channel(value: Any, number: int, where: str, table: Table) -> Channel:
    name = value.get("name") if isinstance(value, dict) else None
    shown = f' "{values.printable(name)}"' if isinstance(name, str) else f"[{number}]"
    place = f"{where} notify{shown}:"
    given = table(value, place)
    for key in ("name", "kind"):
        if key not in given:
            raise ConfigError(f"{place} {key}: is missing; write for example {_EXAMPLE}")
    is_mail = given["kind"] is ChannelKind.EMAIL
    _check_keys(given, place, is_mail=is_mail)
    channel = Channel(
        given["name"],
        given["kind"],
        _secret(given, "url", place),
        secret=_secret(given, "password" if is_mail else "secret", place),
        username=given.get("username", ""),
        sender=given.get("sender", ""),
        to=given.get("to", ()),
        template=given.get("template", ""),
        rules=given.get("rules", ()),
        **({"on": frozenset(given["on"])} if "on" in given else {}),
    )
    _check(channel, place)
    return channel


def _check_keys(given: dict[str, Any], where: str, *, is_mail: bool) -> None:
    others = ("secret_env", "secret_file") if is_mail else _MAIL_ONLY
    for key in others:
        if key in given:
            kind = given["kind"].value
            raise ConfigError(f'{where} {key}: means nothing for kind = "{kind}"; leave it out')
    if is_mail and not (given.get("sender") and given.get("to")):
        raise ConfigError(f'{where} sender and to: write for example to = ["ops@example.com"]')


def _secret(given: dict[str, Any], name: str, where: str) -> Secret:
    ways = [key for key in (name, f"{name}_env", f"{name}_file") if key in given]
    if len(ways) > 1:
        raise ConfigError(f"{where} {' and '.join(ways)} say the same; keep one of them")
    if name == "url" and not ways:
        raise ConfigError(f"{where} url: is missing; or write url_file or url_env")
    return Secret(given.get(name, ""), given.get(f"{name}_env", ""), given.get(f"{name}_file"))


def _check(channel: Channel, where: str) -> None:
    schemes = ("smtp", "smtps") if channel.kind is ChannelKind.EMAIL else ("https", "http")
    if channel.url.value and not _is_url(channel.url.value, schemes):
        # It may be a secret, so it is not shown.
        raise ConfigError(f"{where} url: expected {schemes[0]}://HOST… or {schemes[1]}://HOST…")
    if channel.kind is ChannelKind.ALERTMANAGER and Occasion.CHANGE in channel.on:
        raise ConfigError(f'{where} on: "change" is no alert; an Alertmanager takes the others')
    if channel.template:
        from replicator.notify.message import check_template

        try:
            check_template(channel.template)
        except ConfigError as error:
            raise ConfigError(f"{where} template: {error}") from None


def _is_url(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
