"""The configuration of distribution, in parts; one serves 2.8 and 3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.address import Credentials
from tests.support.certificates import CertificateFiles
from tests.support.htpasswd import write_htpasswd
from tests.support.token_server import ISSUER, SERVICE, TokenServer


def plain(folder: Path) -> dict[str, Any]:
    """Keep all data in *folder*, allow deletes, write an access log and little else."""
    return {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": False}},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "data")},
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": {"secret": "of this test"},
    }


def basic_auth(folder: Path, credentials: Credentials) -> dict[str, Any]:
    passwords = write_htpasswd(folder, credentials)
    return {"htpasswd": {"realm": "registry", "path": str(passwords)}}


def token_auth(tokens: TokenServer) -> dict[str, Any]:
    return {
        "token": {
            "realm": tokens.realm,
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": str(tokens.certificate),
            "jwks": str(tokens.key_set),  # 2.8 does not know it, and minds nothing
        }
    }


def tls(files: CertificateFiles) -> dict[str, Any]:
    return {"certificate": str(files.certificate), "key": str(files.key)}


def notifications(url: str, authorization: str) -> dict[str, Any]:
    """Tell *url* of every push, again and again until it answers."""
    endpoint = {
        "name": "replicate",
        "url": url,
        "headers": {"Authorization": [authorization]},
        "timeout": "5s",
        "threshold": 1,
        "backoff": "100ms",
    }
    return {"endpoints": [endpoint]}
