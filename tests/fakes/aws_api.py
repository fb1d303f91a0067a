"""An API of AWS: JSON 1.1 by POST, whose signatures botocore's own code is asked to make again."""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from starlette.requests import Request
from starlette.responses import Response

# Seconds for which a signature is good.
SIGNATURE_LIFE = 300
TOKEN_LIFE = 12 * 3600

Action: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(\w+)/(\d{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)


class AwsError(Exception):
    """An error as AWS names it."""

    def __init__(self, kind: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.kind, self.message, self.status = kind, message, status


class AwsApi:
    """Answers *actions* to who signs with one of *keys*, which are secrets by access key.

    ``denied`` are actions that nobody may take, ``taken`` those that somebody took. ``page_limit``
    is the largest page that may be asked for.
    """

    page_limit = 1000

    def __init__(
        self,
        service: str,
        region: str,
        prefix: str,
        actions: Mapping[str, Action],
        *,
        keys: dict[str, str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.keys = keys
        self.session_token = ""
        self.clock = clock
        self.denied: set[str] = set()
        self.taken: list[str] = []
        self._service, self._region, self._prefix = service, region, prefix
        self.actions = actions

    async def answer(self, request: Request) -> Response:
        content = await request.body()
        try:
            self._verify(request, content)
            body = self._act(request, json.loads(content))
        except AwsError as error:
            return _response({"__type": error.kind, "message": error.message}, error.status)
        return _response(body, 200)

    def _act(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        prefix, _, name = request.headers["x-amz-target"].partition(".")
        if prefix != self._prefix or name not in self.actions:
            raise AwsError("UnknownOperationException", "")
        self.taken.append(name)
        if name in self.denied:
            raise AwsError(
                "AccessDeniedException",
                f"User: arn:aws:iam::123456789012:user/replicator is not authorized to perform: "
                f"{self._service}:{name}",
            )
        return self.actions[name](body)

    def _verify(self, request: Request, content: bytes) -> None:
        found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if found is None:
            raise AwsError("MissingAuthenticationTokenException", "Missing Authentication Token")
        access_key, _, region, service, names, signature = found.groups()
        if access_key not in self.keys or self.session_token != request.headers.get(
            "x-amz-security-token", ""
        ):
            raise AwsError(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            )
        if (region, service) != (self._region, self._service):
            raise AwsError(
                "InvalidSignatureException",
                f"Credential should be scoped to a valid region. {region} {service}",
            )
        required = {"host", "x-amz-date", "x-amz-target"}
        if not required <= set(names.split(";")):
            raise AwsError("InvalidSignatureException", "headers are not signed")
        moment = datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        if abs(moment.replace(tzinfo=UTC).timestamp() - self.clock()) > SIGNATURE_LIFE:
            raise AwsError("InvalidSignatureException", "Signature expired")
        expected = self._signature(request, content, access_key, names)
        if not hmac.compare_digest(expected, signature):
            raise AwsError(
                "InvalidSignatureException",
                "The request signature we calculated does not match the signature you provided.",
            )

    def _signature(self, request: Request, content: bytes, access_key: str, names: str) -> str:
        """Sign what has come as botocore would."""
        signer = SigV4Auth(
            Credentials(access_key, self.keys[access_key]), self._service, self._region
        )
        headers = {name: request.headers[name] for name in names.split(";")}
        again = AWSRequest("POST", str(request.url), headers, content)
        again.context["timestamp"] = request.headers["x-amz-date"]
        text = signer.string_to_sign(again, signer.canonical_request(again))
        made: str = signer.signature(text, again)
        return made


def page(
    body: dict[str, Any], key: str, entries: list[dict[str, Any]], limit: int
) -> dict[str, Any]:
    """Return one page of *entries*; ``nextToken`` is opaque."""
    size = int(body.get("maxResults", 100))
    if size > limit:
        raise AwsError(
            "InvalidParameterException",
            "Invalid parameter at 'maxResults' failed to satisfy constraint: "
            f"'Member must have value less than or equal to {limit}'",
        )
    start = int(base64.b64decode(body.get("nextToken", base64.b64encode(b"0"))))
    answer: dict[str, Any] = {key: entries[start : start + size]}
    if start + size < len(entries):
        answer["nextToken"] = base64.b64encode(str(start + size).encode()).decode()
    return answer


def _response(body: dict[str, Any], status: int) -> Response:
    return Response(json.dumps(body), status, media_type="application/x-amz-json-1.1")
