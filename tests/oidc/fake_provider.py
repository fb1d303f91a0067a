"""A provider that lies as a test wants it to; over HTTP, as the real one is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from contextlib import asynccontextmanager
from functools import cache
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from replicator.api.server import serve_http

CLIENT = "replicate"


@cache
def key(name, number=1):
    """Return the key of that name, one of several; to make one takes a while."""
    return RSAKey.generate_key(2048, {"kid": name})


class FakeProvider:
    """Answers truly, but for what is changed of it.

    *claims* and *header* are put into the ID token, None takes out; *document* into the discovery
    document. *asked* is what came, by path.
    """

    def __init__(self):
        self.issuer = ""
        self.key = key("first")
        self.published = [self.key]
        self.claims = {}
        self.header = {}
        self.document = {}
        self.user_info = {}
        self.nonce = ""
        self.sign = self._sign
        self.answers = {}
        self.asked = []

    def app(self):
        return Starlette(
            routes=[
                Route("/{path:path}", self._answer, methods=["GET", "POST"]),
            ]
        )

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        self.asked.append((path, dict(request.headers), (await request.body()).decode()))
        if path in self.answers:
            return self.answers[path]
        return JSONResponse(
            {
                "/.well-known/openid-configuration": self._discovery,
                "/keys": self._keys,
                "/token": self._tokens,
                "/userinfo": lambda: {"sub": "1", **self.user_info},
            }[path]()
        )

    def _discovery(self):
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            **self.document,
        }

    def _keys(self):
        return {"keys": [key.as_dict(private=False) for key in self.published]}

    def _tokens(self):
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "1",
            "aud": CLIENT,
            "exp": now + 300,
            "iat": now,
            "nonce": self.nonce,
            "preferred_username": "ada",
            "groups": ["platform"],
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "RS256", "kid": self.key.kid, **self.header}
        return {
            "access_token": "canary-access",
            "token_type": "Bearer",
            "id_token": self.sign(header, claims),
        }

    def _sign(self, header, claims):
        return jwt.encode(header, claims, self.key, algorithms=["RS256", "PS256"])

    def unsigned(self, header, claims):
        parts = ({**header, "alg": "none"}, claims)
        return ".".join(_part(json.dumps(each).encode()) for each in parts) + "."

    def signed_with_what_is_public(self, header, claims):
        """As a library is fooled that takes a public key for a secret both know."""
        parts = ({**header, "alg": "HS256"}, claims)
        signed = ".".join(_part(json.dumps(each).encode()) for each in parts)
        secret = self.key.as_pem(private=False)
        return f"{signed}.{_part(hmac.digest(secret, signed.encode(), hashlib.sha256))}"

    def begun(self, address):
        """Note what a browser was sent here with, and return the state."""
        asked = parse_qs(urlsplit(address).query)
        self.nonce = asked["nonce"][0]
        return asked["state"][0]


def _part(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@asynccontextmanager
async def fake_provider():
    provider = FakeProvider()
    async with serve_http(provider.app(), "127.0.0.1", 0) as at:
        provider.issuer = f"http://{at}"
        yield provider
