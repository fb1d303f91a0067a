"""Where the libraries of clouds ask for logins: Google's token services, Azure's identities."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from replicator.embedded.access import Access
from replicator.embedded.server import EmbeddedRegistry
from tests.fakes.azure import AzureTokens
from tests.fakes.front import before
from tests.fakes.token_service import access_of
from tests.support.faults import Faults

AUDIENCE = "https://containerregistry.azure.net"
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
SECRET = "identity-header"


class GoogleLogins:
    """``metadata.google.internal``, and the service that takes the keys of service accounts."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.life = 3600
        self.faults = Faults()
        account = "/computeMetadata/v1/instance/service-accounts/default"
        self.server = EmbeddedRegistry(
            wrap=before(
                [
                    Route("/", self._here),
                    Route("/token", self._granted, methods=["POST"]),
                    Route(f"{account}/", self._account),
                    Route(f"{account}/token", self._token),
                    Route("/computeMetadata/v1/project/project-id", self._project),
                    Route("/computeMetadata/v1/universe/universe-domain", self._universe),
                ],
                self.faults,
            )
        )

    def variables(self) -> dict[str, str]:
        """The environment that leads google-auth here, if it has not been loaded before."""
        return {"GCE_METADATA_HOST": self.server.host, "GCE_METADATA_IP": self.server.host}

    def key_file(self) -> str:
        """The file of a service account's key, whose tokens are given out here."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return json.dumps(
            {
                "type": "service_account",
                "project_id": "project",
                "private_key_id": "1",
                "private_key": private.decode(),
                "client_email": "robot@project.iam.gserviceaccount.com",
                "client_id": "1",
                "token_uri": f"{self.server.url}/token",
            }
        )

    async def _here(self, request: Request) -> Response:
        return _said("computeMetadata/")

    async def _granted(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        if form.get("grant_type") != ["urn:ietf:params:oauth:grant-type:jwt-bearer"]:
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        return self._new()

    async def _project(self, request: Request) -> Response:
        return _said("project")

    async def _universe(self, request: Request) -> Response:
        return _said("googleapis.com")

    async def _account(self, request: Request) -> Response:
        account = {"email": "robot@project.iam.gserviceaccount.com", "scopes": [], "aliases": []}
        return JSONResponse(account, headers={"Metadata-Flavor": "Google"})

    async def _token(self, request: Request) -> Response:
        if request.headers.get("metadata-flavor") != "Google":
            return Response(status_code=403)
        return self._new()

    def _new(self) -> Response:
        self.tokens.append(f"ya29.token-{len(self.tokens) + 1}")
        body = {
            "access_token": self.tokens[-1],
            "expires_in": self.life,
            "token_type": "Bearer",
        }
        return JSONResponse(body, headers={"Metadata-Flavor": "Google"})


class IdentityEndpoint:
    """What App Service and Container Apps give managed identities to ask."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.tokens: list[str] = []
        self.clock = clock
        self.server = EmbeddedRegistry(wrap=before([Route("/msi/token", self._token)], Faults()))

    def variables(self) -> dict[str, str]:
        """The environment that leads azure-identity here."""
        return {"IDENTITY_ENDPOINT": f"{self.server.url}/msi/token", "IDENTITY_HEADER": SECRET}

    async def _token(self, request: Request) -> Response:
        query = request.query_params
        if request.headers.get("x-identity-header") != SECRET:
            return JSONResponse({"statusCode": 401, "message": "no"}, 401)
        if query.get("resource") != AUDIENCE or query.get("api-version") != "2019-08-01":
            return JSONResponse({"statusCode": 400, "message": "bad resource"}, 400)
        self.tokens.append(token_of({"tid": TENANT, "n": len(self.tokens) + 1}))
        ends = str(int(self.clock() + 24 * 3600))
        return JSONResponse(
            {
                "access_token": self.tokens[-1],
                "expires_on": ends,
                "resource": AUDIENCE,
                "token_type": "Bearer",
            }
        )


class ExchangingTokens(AzureTokens):
    """Azure's token service with the two forms of AAD: for an identity token, and for a token."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.known: Callable[[str], bool] = lambda token: False
        self.refresh: dict[str, float] = {}
        self.refresh_life = 3 * 3600
        self.exchanges = 0
        self.routes = [
            *self.routes,
            Route("/oauth2/exchange", self.exchange, methods=["POST"]),
        ]

    async def exchange(self, request: Request) -> Response:
        form = {
            name: values[0] for name, values in parse_qs((await request.body()).decode()).items()
        }
        self.exchanges += 1
        if form.get("grant_type") != "access_token" or form.get("tenant") != TENANT:
            return JSONResponse({"errors": [{"code": "BAD_REQUEST"}]}, 400)
        if not self.known(form.get("access_token", "")):
            return JSONResponse({"errors": [{"code": "UNAUTHORIZED"}]}, 401)
        ends = self.clock() + self.refresh_life
        token = token_of({"exp": ends, "n": self.exchanges})
        self.refresh[token] = ends
        return JSONResponse({"refresh_token": token})

    async def answer(self, request: Request) -> Response:
        if request.method != "POST":
            return await super().answer(request)
        form = {
            name: values[0] for name, values in parse_qs((await request.body()).decode()).items()
        }
        if form.get("grant_type") != "refresh_token":
            return PlainTextResponse("unsupported", 400)
        if self.refresh.get(form.get("refresh_token", ""), 0) < self.clock():
            return JSONResponse({"errors": [{"code": "UNAUTHORIZED"}]}, 401)
        accesses = [Access.parse(scope) for scope in form.get("scope", "").split()]
        token = self.signer.sign(
            {
                "sub": "identity",
                "exp": self.clock() + self.life,
                "access": [access_of(each) for each in accesses],
            }
        )
        return JSONResponse({"access_token": token})


def token_of(claims: dict[str, Any]) -> str:
    """A token in three parts, of which nobody checks the last."""
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.sig"


def _said(text: str) -> Response:
    return PlainTextResponse(text, headers={"Metadata-Flavor": "Google"})
