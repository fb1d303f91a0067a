"""Amazon's registries: repositories that have to be there, tokens for 12 h, and ECR's own API."""

from __future__ import annotations

import base64
import itertools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from replicator.embedded.access import PULL, Access, needed_access
from replicator.embedded.memory import MemoryStorage
from replicator.embedded.passwords import basic_login
from replicator.embedded.refusal import Refusal
from replicator.embedded.server import EmbeddedRegistry
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.registry.settings import AwsKeys, Credentials
from tests.fakes.aws_api import TOKEN_LIFE, AwsApi, AwsError, page
from tests.fakes.front import before
from tests.fakes.token_service import TokenService
from tests.support.faults import Faults

ACCOUNT = "123456789012"
REGION = "eu-central-1"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
PUBLIC_HOST = "public.ecr.aws"
ALIAS = "acme"
KEYS = AwsKeys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
SMALLEST_PART = 5 * 1024 * 1024


class Issued:
    """The passwords of the user AWS, each good for twelve hours."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.ends: dict[str, float] = {}
        self.readers: set[str] = set()
        self._numbers = itertools.count(1)

    def new(self) -> str:
        token = f"eyJ{next(self._numbers):0>60}"
        self.ends[token] = self.clock() + TOKEN_LIFE
        return token

    def new_reader(self) -> str:
        """Return a password of somebody who may only pull."""
        token = self.new()
        self.readers.add(token)
        return token

    def authorization(self) -> dict[str, Any]:
        token = self.new()
        pair = base64.b64encode(f"AWS:{token}".encode()).decode()
        return {"authorizationToken": pair, "expiresAt": self.ends[token]}

    def known(self, header: str) -> str | None:
        """Return the token that a header of Basic brings, if it was ever given out."""
        login = basic_login(header)
        return login[1] if login and login[0] == "AWS" and login[1] in self.ends else None

    def is_good(self, token: str) -> bool:
        return self.clock() < self.ends[token]


class EcrAuth:
    """Basic, with what GetAuthorizationToken gave."""

    routes: Sequence[Route] = ()

    def __init__(self, issued: Issued) -> None:
        self._issued = issued

    def challenge(self, connection: HTTPConnection, needed: Sequence[Access]) -> str | None:
        if self._issued.known(connection.headers.get("authorization", "")):
            return None
        return f'Basic realm="https://{HOST}/",service="ecr.amazonaws.com"'


class Repositories:
    """What exists, and what the API says of it; *prefix* is the alias of a public registry."""

    def __init__(self, prefix: str = "") -> None:
        self.storage = MemoryStorage()
        self.created: set[str] = set()
        self.untagged = 0
        self.cached: list[str] = []  # prefixes of pull-through caches
        self._prefix = prefix

    def exists(self, path: str) -> bool:
        return path in self.created or self.storage.has_repository(path)

    def describe_images(self, body: dict[str, Any]) -> dict[str, Any]:
        path = self._prefix + body["repositoryName"]
        if not self.exists(path):
            raise self._missing(body["repositoryName"])
        tags: dict[str, list[str]] = {}
        for tag in self.storage.tags(path) if self.storage.has_repository(path) else ():
            tags.setdefault(str(self.storage.resolve(path, tag)), []).append(tag)
        if body.get("filter", {}).get("tagStatus", "ANY") == "ANY":
            tags |= {f"sha256:{number:064}": [] for number in range(self.untagged)}
        entries = [
            {
                "registryId": ACCOUNT,
                "repositoryName": body["repositoryName"],
                "imageDigest": digest,
                **({"imageTags": names} if names else {}),
                "imageSizeInBytes": 1,
                "imagePushedAt": 1767225600.0,
                "imageManifestMediaType": "application/vnd.oci.image.index.v1+json",
            }
            for digest, names in tags.items()
        ]
        return page(body, "imageDetails", entries, AwsApi.page_limit)

    def describe_repositories(self, body: dict[str, Any]) -> dict[str, Any]:
        names = sorted({*self.created, *self.storage.repositories()})
        entries = [{"repositoryName": name.removeprefix(self._prefix)} for name in names]
        return page(body, "repositories", entries, AwsApi.page_limit)

    def create_repository(self, body: dict[str, Any]) -> dict[str, Any]:
        path = self._prefix + body["repositoryName"]
        if self.exists(path):
            raise AwsError(
                "RepositoryAlreadyExistsException",
                f"The repository with name '{body['repositoryName']}' already exists in the "
                f"registry with id '{ACCOUNT}'",
            )
        self.created.add(path)
        return {"repository": {"repositoryName": body["repositoryName"]}}

    def batch_delete_image(self, body: dict[str, Any]) -> dict[str, Any]:
        """Take tags away, and an image with its last one. (ECR API Reference)"""
        path = self._prefix + body["repositoryName"]
        if not self.exists(path):
            raise self._missing(body["repositoryName"])
        gone, failures = [], []
        for image in body["imageIds"]:
            digest = self.storage.resolve(path, image["imageTag"])
            if digest is None:
                reason = "Requested image not found"
                failures.append(
                    {"imageId": image, "failureCode": "ImageNotFound", "failureReason": reason}
                )
                continue
            self.storage.delete_tag(path, image["imageTag"])
            tags = self.storage.tags(path)
            if digest not in [self.storage.resolve(path, tag) for tag in tags]:
                self.storage.delete_manifest(path, digest)
            gone.append({**image, "imageDigest": str(digest)})
        return {"imageIds": gone, "failures": failures}

    def describe_cache_rules(self, body: dict[str, Any]) -> dict[str, Any]:
        entries = [
            {"ecrRepositoryPrefix": prefix, "upstreamRegistryUrl": "registry-1.docker.io"}
            for prefix in self.cached
        ]
        return page(body, "pullThroughCacheRules", entries, AwsApi.page_limit)

    def _missing(self, name: str) -> AwsError:
        message = (
            f"The repository with name '{name}' does not exist in the registry with id '{ACCOUNT}'"
        )
        return AwsError("RepositoryNotFoundException", message)


class FakeEcr:
    """``registry`` is that of an account, ``site`` its API, ``s3`` where its blobs are.

    ``immutable`` are repositories whose tags may not be overwritten. ``mounting`` is the setting
    of the account. ``on_push``: a template makes repositories when something is pushed.
    """

    host = HOST

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self.repositories = Repositories()
        self.storage = self.repositories.storage
        self.issued = Issued(clock)
        self.immutable: set[str] = set()
        self.mounting = False
        self.on_push = False
        self.faults, self.site_faults = Faults(), Faults()
        self.api = AwsApi(
            "ecr",
            REGION,
            "AmazonEC2ContainerRegistry_V20150921",
            {
                "GetAuthorizationToken": lambda body: {
                    "authorizationData": [
                        {**self.issued.authorization(), "proxyEndpoint": f"https://{HOST}"}
                    ]
                },
                "DescribeImages": self.repositories.describe_images,
                "DescribeRepositories": self.repositories.describe_repositories,
                "CreateRepository": self.repositories.create_repository,
                "BatchDeleteImage": self.repositories.batch_delete_image,
                "DescribePullThroughCacheRules": self.repositories.describe_cache_rules,
            },
            keys={KEYS.access_key: KEYS.secret_key},
            clock=clock,
        )
        self._parts: dict[str, list[int]] = {}
        self.s3 = EmbeddedRegistry(self.storage, wrap=_one_mechanism)
        self.registry = EmbeddedRegistry(
            self.storage,
            auth=EcrAuth(self.issued),
            wrap=lambda app: self.faults(self._guarded(self._odd(app))),
        )
        self.site = EmbeddedRegistry(
            wrap=before([Route("/", self.api.answer, methods=["POST"])], self.site_faults)
        )

    @property
    def servers(self) -> tuple[EmbeddedRegistry, ...]:
        return self.registry, self.site, self.s3

    def settings(self) -> dict[str, Any]:
        return {"kind": "ecr", "endpoint": self.registry.url, "api_endpoint": self.site.url}

    def login(self, *, keys: AwsKeys | None = KEYS) -> Credentials:
        """A login as a cloud gives it; without *keys*, as a docker credential helper does."""
        return Credentials("AWS", self.issued.new(), aws=keys)

    def reader(self) -> Credentials:
        """A login of somebody who may only pull, and has no right in the API."""
        return Credentials("AWS", self.issued.new_reader())

    def _guarded(self, app: ASGIApp) -> ASGIApp:
        """Say 403 of a token that has ended, and nothing of a catalogue."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            connection = HTTPConnection(scope)
            token = self.issued.known(connection.headers.get("authorization", ""))
            if token is not None and not self.issued.is_good(token):
                message = "Your authorization token has expired. Reauthenticate and try again."
                await Refusal(403, "DENIED", message).response()(scope, receive, send)
            elif token in self.issued.readers and scope["method"] not in ("GET", "HEAD"):
                message = "User is not authorized to perform: ecr:InitiateLayerUpload"
                await Refusal(403, "DENIED", message).response()(scope, receive, send)
            elif scope["path"] == "/v2/_catalog":
                refusal = Refusal(405, "UNSUPPORTED", "The operation is unsupported.")
                await refusal.response()(scope, receive, send)
            else:
                await app(scope, receive, send)

        return guarded

    def _odd(self, app: ASGIApp) -> ASGIApp:
        async def odd(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope)
            if self.issued.known(request.headers.get("authorization", "")) is None:
                await app(scope, receive, send)
                return
            refusal = self._refusal(request)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
            if request.method == "POST" and "mount" in request.query_params:
                scope = self._mount(request)
            if request.method == "PATCH":
                await self._append(app, request, receive, send)
                return
            await app(scope, receive, send)

        return odd

    def _refusal(self, request: Request) -> Response | None:
        path = _repository(request)
        if not path:
            return None
        writes = request.method in ("POST", "PUT", "PATCH")
        if not self.repositories.exists(path):
            if not (writes and self.on_push):
                message = (
                    f"The repository with name '{path}' does not exist in the registry with id "
                    f"'{ACCOUNT}'"
                )
                return Refusal(404, "NAME_UNKNOWN", message).response()
            self.repositories.created.add(path)
        if int(request.query_params.get("n", 0)) > AwsApi.page_limit:
            message = (
                "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must "
                f"have value less than or equal to {AwsApi.page_limit}'"
            )
            return Refusal(405, "UNSUPPORTED", message).response()
        if request.url.path.endswith("/tags/list") and not self.storage.has_repository(path):
            return Response(f'{{"name":"{path}","tags":[]}}', media_type="application/json")
        if request.method == "GET" and "/blobs/sha256:" in request.url.path:
            location = f"{self.s3.url}{request.url.path}?X-Amz-Signature=0"
            return Response(status_code=307, headers={"Location": location})
        if request.method == "DELETE":
            return Refusal(405, "UNSUPPORTED", "The operation is unsupported.").response()
        return self._moves_tag(request, path) or self._small_part(request)

    def _moves_tag(self, request: Request, path: str) -> Response | None:
        """Refuse a tag of an immutable repository, were it for the very same image."""
        tag = request.url.path.rpartition("/manifests/")[2]
        if request.method != "PUT" or "/manifests/" not in request.url.path:
            return None
        if path not in self.immutable or not self.storage.has_repository(path):
            return None
        if tag not in self.storage.tags(path):
            return None
        message = (
            f"The image tag '{tag}' already exists in the '{path}' repository and cannot be "
            "overwritten because the repository is immutable."
        )
        return Refusal(400, "TAG_INVALID", message).response()

    def _small_part(self, request: Request) -> Response | None:
        """Refuse what follows a part that was too small to have anything follow it."""
        parts = self._parts.get(request.url.path, [])
        if request.method != "PATCH" or not parts or parts[-1] >= SMALLEST_PART:
            return None
        message = "Part size is less than the minimum allowed size of 5242880 bytes."
        return Refusal(400, "LayerPartTooSmall", message).response()

    async def _append(self, app: ASGIApp, request: Request, receive: Receive, send: Send) -> None:
        """Answer 201 to a PATCH, with a Range that stops after the second one."""
        parts = self._parts.setdefault(request.url.path, [])
        size = 0

        async def count() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            return message

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 202:
                parts.append(size)
                end = f"0-{max(sum(parts[:2]) - 1, 0)}".encode()
                headers = [each for each in message["headers"] if each[0] != b"range"]
                message = {**message, "status": 201, "headers": [*headers, (b"range", end)]}
            await send(message)

        await app(request.scope, count, say)

    def _mount(self, request: Request) -> Scope:
        """Leave the query of a mount away unless its blob is of a manifest and may be mounted."""
        digest, source = request.query_params["mount"], request.query_params.get("from", "")
        if self.mounting and source in self.storage.repositories() and self._uses(source, digest):
            return request.scope
        return {**request.scope, "query_string": b""}

    def _uses(self, path: str, digest: str) -> bool:
        tagged = (self.storage.resolve(path, tag) for tag in self.storage.tags(path))
        manifests = [(each, self.storage.manifest(path, each)) for each in tagged if each]
        return any(
            Digest.parse(digest) in {blob.digest for blob in parsed.blobs}
            for _, stored in manifests
            if stored is not None
            for parsed in [Manifest.parse(stored.content, stored.media_type)]
        )


class PublicTokens(TokenService):
    """Takes what ecr-public:GetAuthorizationToken gave as a password; it is no bearer token."""

    service = PUBLIC_HOST

    def __init__(self, issued: Issued) -> None:
        super().__init__(realm="/token/", clock=issued.clock)
        self._issued = issued

    def user_of(self, authorization: str) -> tuple[str, Response | None]:
        if not authorization:
            return "", None
        token = self._issued.known(authorization)
        if token is None or not self._issued.is_good(token):
            return "", Refusal(401, "UNAUTHORIZED", "Not Authorized").response()
        return ("reader" if token in self._issued.readers else "AWS"), None

    def granted(self, user: str, access: Access) -> frozenset[str]:
        granted = super().granted(user, access)
        return granted & PULL if user == "reader" else granted


class FakePublicEcr:
    """public.ecr.aws, where *alias* is our own; the API is in us-east-1 alone."""

    host = PUBLIC_HOST

    def __init__(self, *, alias: str = ALIAS, clock: Callable[[], float] = time.time) -> None:
        self.repositories = Repositories(f"{alias}/")
        self.storage = self.repositories.storage
        self.issued = Issued(clock)
        self.tokens = PublicTokens(self.issued)
        self.api = AwsApi(
            "ecr-public",
            "us-east-1",
            "SpencerFrontendService",
            {
                "GetAuthorizationToken": lambda body: {
                    "authorizationData": self.issued.authorization()
                },
                "DescribeImages": self.repositories.describe_images,
                "DescribeRegistries": lambda body: {
                    "registries": [
                        {
                            "registryId": ACCOUNT,
                            "aliases": [{"name": alias, "primaryRegistryAlias": True}],
                        }
                    ]
                },
                "DescribeRepositories": self.repositories.describe_repositories,
                "CreateRepository": self.repositories.create_repository,
                "BatchDeleteImage": self.repositories.batch_delete_image,
            },
            keys={KEYS.access_key: KEYS.secret_key},
            clock=clock,
        )
        self.registry = EmbeddedRegistry(self.storage, auth=self.tokens, wrap=self._guarded)
        self.site = EmbeddedRegistry(
            wrap=before([Route("/", self.api.answer, methods=["POST"])], Faults())
        )

    @property
    def servers(self) -> tuple[EmbeddedRegistry, ...]:
        return self.registry, self.site

    def settings(self) -> dict[str, Any]:
        return {"kind": "ecr", "endpoint": self.registry.url, "api_endpoint": self.site.url}

    def login(self) -> Credentials:
        return Credentials("AWS", self.issued.new(), aws=KEYS)

    def reader(self) -> Credentials:
        """A login of somebody who may only pull, and has no right in the API."""
        return Credentials("AWS", self.issued.new_reader())

    def _guarded(self, app: ASGIApp) -> ASGIApp:
        """Say of a missing repository that it is, to whoever may write."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            request = HTTPConnection(scope)
            path = _repository(request)
            claims = self.tokens.claims(request)
            writes = scope["method"] in ("POST", "PUT", "PATCH")
            if path and claims and writes and not self.repositories.exists(path):
                message = f"The repository with name '{path}' does not exist"
                await Refusal(404, "NAME_UNKNOWN", message).response()(scope, receive, send)
            else:
                await app(scope, receive, send)

        return guarded


def _repository(request: HTTPConnection) -> str:
    names = [each.name for each in needed_access(request) if each.kind == "repository"]
    return names[0] if names else ""


def _one_mechanism(app: ASGIApp) -> ASGIApp:
    """Refuse who brings a signed URL and a login: S3 takes one mechanism at a time."""

    async def strict(scope: Scope, receive: Receive, send: Send) -> None:
        if b"authorization" in dict(scope.get("headers", ())):
            body = "<Error><Code>InvalidArgument</Code></Error>"
            await Response(body, 400, media_type="application/xml")(scope, receive, send)
            return
        await app(scope, receive, send)

    return strict


def actions_of(api: AwsApi) -> Counter[str]:
    """How often each action was taken."""
    return Counter(api.taken)
