"""A real provider of OpenID Connect (npm's oidc-provider, which is certified)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.address import Address
from tests.support.processes import Command, serving

_PACKAGE = Path(__file__).parents[2] / ".tools/oidc-provider/node_modules/oidc-provider"
_SCRIPT = Path(__file__).with_suffix(".mjs")

# Who can sign in, each with any password; their groups come from there.
PEOPLE: Mapping[str, Mapping[str, Any]] = {
    "ada": {"preferred_username": "ada.l", "groups": ["platform", "payments"]},
    "olga": {"preferred_username": "olga", "groups": ["payments"]},
    "vera": {"preferred_username": "vera", "groups": ["marketing"]},
    "hugo": {"preferred_username": "<script>alert(1)</script>", "groups": ["platform"]},
}
CLIENT_ID, CLIENT_SECRET = "replicate", "canary of the client: + and %"


@contextmanager
def oidc_provider(
    urls: Sequence[str], *, in_id_token: bool = False, method: str = "client_secret_basic"
) -> Iterator[str]:
    """Run a provider for services that browsers reach at *urls*; gives its issuer."""
    node = shutil.which("node")
    assert node, "there is no node, which the provider of logins runs in"
    assert _PACKAGE.exists(), f"there is no {_PACKAGE}; `make tools` installs it"
    client = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "token_endpoint_auth_method": method,
        "redirect_uris": [f"{url}/sign-in/callback" for url in urls],
        "post_logout_redirect_uris": [f"{url}/sign-in" for url in urls],
    }
    if method == "none":
        del client["client_secret"]
    given = json.dumps({"clients": [client], "people": PEOPLE, "inIdToken": in_id_token})

    def command(port: int) -> Command:
        return [node, _SCRIPT, _PACKAGE, str(port), given]

    def knock(port: int, text: str) -> None:
        Address(f"127.0.0.1:{port}").knock("/.well-known/openid-configuration", text)

    with serving(command, knock) as (_, port):
        yield f"http://127.0.0.1:{port}"
