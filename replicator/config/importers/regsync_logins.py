"""regsync's ``creds``: hosts and logins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from replicator.config.importers import foreign
from replicator.config.importers.draft import Imported

_CREDS: Final = {
    "registry", "hostname", "tls", "user", "pass", "token", "reqPerSec", "reqConcurrent", "mirrors",
    "scheme", "api",
}  # fmt: skip
_TEMPLATE: Final = re.compile(r"\{\{\s*(env|file)\s+[\"`]([^\"`]+)[\"`]\s*\}\}")


def read_login(given: dict[str, Any], where: str, imported: Imported) -> None:
    """Read one of ``creds``. Raises ConfigError."""
    host = foreign.registry_name(foreign.text(given.get("registry"), f"{where}: registry"))
    table = imported.registries.setdefault(host, {})
    if given.get("hostname"):
        table["endpoint"] = str(given["hostname"])
    if given.get("tls") == "disabled" or given.get("scheme") == "http":
        table["plain_http"] = True
    if given.get("tls") == "insecure":
        table["insecure"] = True
    if given.get("reqPerSec"):
        table["requests_per_second"] = foreign.number(given["reqPerSec"], f"{where}: reqPerSec")
    if given.get("reqConcurrent"):
        table["max_concurrency"] = int(
            foreign.number(given["reqConcurrent"], f"{where}: reqConcurrent")
        )
    if given.get("mirrors"):
        mirrors = foreign.listing(given["mirrors"], f"{where}: mirrors")
        table["mirrors"] = [f"https://{foreign.registry_name(str(each))}" for each in mirrors]
    for key in sorted(set(given) - _CREDS):
        imported.remarks.append(
            f"{where}: {key} of {host} has no counterpart; see config.example.toml"
        )
    _read_secret(given, host, where, imported)
    if not table:
        del imported.registries[host]


def _read_secret(given: Mapping[str, Any], host: str, where: str, imported: Imported) -> None:
    user, secret = str(given.get("user") or ""), str(given.get("pass") or "")
    if template := _TEMPLATE.fullmatch(user):
        imported.remarks.append(f"{where}: the user name of {host} was in {template[2]}; write it")
        user = "NAME"
    if given.get("token"):
        imported.remarks.append(f"{where}: the token of {host} is not written here; name a file")
    if not user:
        return
    template = _TEMPLATE.fullmatch(secret)
    found = {f"password_{template[1]}": template[2]} if template else None
    foreign.add_login(imported, host, user, secret, found=found)
