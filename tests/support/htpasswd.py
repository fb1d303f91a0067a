"""Password files as registries read them."""

from __future__ import annotations

from pathlib import Path

import bcrypt

from tests.support.address import Credentials

_CHEAPEST = 4  # bcrypt's least cost: the server checks the password again for every request


def write_htpasswd(folder: Path, credentials: Credentials) -> Path:
    """Write a file that lets one user in. Distribution accepts bcrypt alone."""
    hashed = bcrypt.hashpw(credentials.password.encode(), bcrypt.gensalt(_CHEAPEST)).decode()
    file = folder / "htpasswd"
    file.write_text(f"{credentials.username}:{hashed}\n")
    return file
