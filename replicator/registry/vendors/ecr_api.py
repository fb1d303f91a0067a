"""EcrApi: the actions of ECR's own API, which is JSON by POST, each request signed."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

import httpx

from replicator import errors
from replicator.events import RequestKind
from replicator.oci.strict_json import parse_json
from replicator.registry.answers import Answer, json_object, shown
from replicator.registry.calls import Call
from replicator.registry.ecr_host import EcrHost
from replicator.registry.login import Login
from replicator.registry.pagination import MAX_PAGE_SIZE, MAX_PAGES
from replicator.registry.sending import Sender
from replicator.registry.vendors.sigv4 import signed

_LARGEST_PAGE: Final = 1000
_TYPE: Final = "application/x-amz-json-1.1"
_PRIVATE: Final = ("ecr", "AmazonEC2ContainerRegistry_V20150921")
_PUBLIC: Final = ("ecr-public", "SpencerFrontendService")
# What AWS calls its refusals, most of which come with 400.
_KINDS: Final[Mapping[str, type[errors.RegistryError]]] = {
    "RepositoryNotFoundException": errors.NotFound,
    "RegistryNotFoundException": errors.NotFound,
    "AccessDeniedException": errors.Denied,
    "LimitExceededException": errors.Denied,
    "ExpiredTokenException": errors.Unauthorized,
    "InvalidSignatureException": errors.Unauthorized,
    "MissingAuthenticationTokenException": errors.Unauthorized,
    "UnrecognizedClientException": errors.Unauthorized,
    "ServerException": errors.RegistryUnavailable,
}
_THROTTLED: Final = frozenset({"ThrottlingException", "TooManyRequestsException"})


class EcrApi:
    """Asks the API of one registry, whose *sender* sends to it, as whoever *login* has keys of."""

    def __init__(self, sender: Sender, login: Login, host: EcrHost) -> None:
        self.host = host
        self._sender = sender
        self._login = login
        self._service, self._prefix = _PUBLIC if host.is_public else _PRIVATE

    async def has_keys(self) -> bool:
        """Say whether there is anything to sign with; a registry token alone signs nothing."""
        credentials = await self._login.credentials()
        return credentials is not None and credentials.aws is not None

    async def ask(self, action: str, body: Mapping[str, Any], *, on: str) -> dict[str, Any]:
        """Return the answer to one action. Raises RegistryError."""
        await self._sender.settle_scheme()
        content = json.dumps(body).encode()
        call = Call(
            RequestKind.API,
            "POST",
            httpx.URL(f"{self._sender.gate.origin}/"),
            on,
            action,
            headers=await self._headers(action, content),
            content=content,
            refine=_named,
            limit=MAX_PAGE_SIZE,
        )
        return json_object(await self._sender.send(call), self._sender.attempt(call))

    async def pages(
        self, action: str, body: Mapping[str, Any], *, on: str
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield all pages of a listing, each as large as it may be."""
        body = {**body, "maxResults": _LARGEST_PAGE}
        for _ in range(MAX_PAGES):
            page = await self.ask(action, body, on=on)
            yield page
            token = page.get("nextToken")
            if not isinstance(token, str) or not token or token == body.get("nextToken"):
                return
            body = {**body, "nextToken": token}
        raise errors.RegistryError(
            f"{on}: {action}: more than {MAX_PAGES} pages; the listing is not complete",
            registry=self._sender.registry,
        )

    async def _headers(self, action: str, content: bytes) -> tuple[tuple[str, str], ...]:
        credentials = await self._login.credentials()
        if credentials is None or credentials.aws is None:
            raise errors.Denied(
                f"{self._sender.registry}: the API of ECR needs AWS credentials; "
                'credential = { cloud = "aws" } in its entry finds them',
                registry=self._sender.registry,
            )
        return signed(
            credentials.aws,
            host=httpx.URL(str(self._sender.gate.origin)).netloc.decode("ascii"),
            region=self.host.region,
            service=self._service,
            headers={"Content-Type": _TYPE, "X-Amz-Target": f"{self._prefix}.{action}"},
            content=content,
            now=self._sender.clock.now(),
        )


def _named(answer: Answer, error: errors.RegistryError) -> errors.RegistryError:
    """Return the error that AWS names in its answer."""
    try:
        found = parse_json(answer.content)
        code = shown(str(found["__type"]).rpartition("#")[2])
        words = shown(str(found.get("message") or found.get("Message") or ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return error
    message = f"{error} {code}: {words}" if words else f"{error} {code}"
    if code in _THROTTLED:
        return errors.RateLimited(message, retry_after=None, codes=(code,), registry=error.registry)
    kind = _KINDS.get(code, type(error))
    if issubclass(kind, errors.RateLimited):
        return error
    return kind(message, status=error.status, codes=(code,), registry=error.registry)
