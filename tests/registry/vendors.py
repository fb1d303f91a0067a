"""Registries and their token services in memory, each with the habits of a vendor."""

from __future__ import annotations

import base64
import itertools
import json
import urllib.parse
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx

from replicator.registry.retry import Clock

HOST = "registry.test"
URL = f"https://{HOST}"
PASSWORDS = {"alice": "wonderland"}
IDENTITY_TOKENS = {"alice-identity-token": "alice"}

Scopes = dict[str, frozenset[str]]


@dataclass
class Time:
    """A clock that moves when somebody sleeps, or when a test says so."""

    seconds: float = 1000.0
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    @property
    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.seconds, now=lambda: self.seconds, sleep=self.sleep)


@dataclass(frozen=True)
class Issued:
    """What a token is good for."""

    user: str | None
    scopes: Scopes
    expires: float


def parse_scope(text: str) -> tuple[str, frozenset[str]]:
    resource, _, actions = text.rpartition(":")
    return resource, frozenset(actions.split(","))


class Vendor:
    """Distribution with a token service: everybody reads ``public/…``, users all of their own.

    ``requests`` are all that were sent. ``life`` is what the answers say, None for nothing;
    ``real_life`` is how long tokens are good, in seconds. A test may put an answer of its own,
    or a pause, in the place of the token service's.
    """

    realm = f"{URL}/token"

    def __init__(self, time: Time, *, life: float | None = 300) -> None:
        self.time = time
        self.life = life
        self.real_life = life or 60.0
        self.passwords = dict(PASSWORDS)
        self.requests: list[httpx.Request] = []
        self.issued: dict[str, Issued] = {}
        self.before_token: Callable[[], httpx.Response | None] = lambda: None
        self.pause: Callable[[], Awaitable[object]] | None = None
        self._numbers = itertools.count(1)

    @property
    def token_requests(self) -> list[httpx.Request]:
        return [each for each in self.requests if str(each.url).startswith(self.realm)]

    @property
    def api_requests(self) -> list[httpx.Request]:
        return [each for each in self.requests if each.url.path.startswith("/v2/")]

    def asked_scopes(self, number: int = -1) -> list[str]:
        """The scopes of one token request, as they were repeated."""
        return self.token_requests[number].url.params.get_list("scope")

    async def send(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        is_token = str(request.url).startswith(self.realm)
        if is_token and self.pause:
            await self.pause()
        response = self.token(request) if is_token else self.resource(request)
        response.request = request
        return response

    # The registry

    def resource(self, request: httpx.Request) -> httpx.Response:
        needed = self.needed(request)
        user, scopes = self.authenticated(request)
        if needed is None:
            return httpx.Response(200 if user else 401, headers=self.challenge(request, ""))
        resource, actions = parse_scope(needed)
        if actions <= scopes.get(resource, frozenset()):
            return httpx.Response(200)
        return httpx.Response(
            401,
            headers=self.challenge(request, needed),
            json={"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]},
        )

    def needed(self, request: httpx.Request) -> str | None:
        """Return the scope a request needs, None for the ping."""
        parts = request.url.path.removeprefix("/v2/").split("/")
        if parts == [""]:
            return None
        actions = "pull" if request.method in ("GET", "HEAD") else "pull,push"
        return f"repository:{'/'.join(parts[:2])}:{actions}"

    def authenticated(self, request: httpx.Request) -> tuple[str | None, Scopes]:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        token = self.issued.get(value) if scheme == "Bearer" else None
        if token is None or token.expires <= self.time.seconds:
            return None, {}
        return token.user, token.scopes

    def challenge(self, request: httpx.Request, scope: str) -> dict[str, str]:
        scope = f',scope="{scope}"' if scope else ""
        return {"WWW-Authenticate": f'Bearer realm="{self.realm}",service="{HOST}"{scope}'}

    # The token service

    def token(self, request: httpx.Request) -> httpx.Response:
        if (response := self.before_token()) is not None:
            return response
        form = dict(urllib.parse.parse_qsl(request.content.decode()))
        if request.method == "POST":
            return self.exchanged(form)
        user = None
        if "authorization" in request.headers:
            user = self.user_of(request.headers["authorization"])
            if user is None:
                return self.wrong_password()
        return self.given(user, request.url.params.get_list("scope"))

    def user_of(self, header: str) -> str | None:
        """Return whom a header of Basic lets in."""
        scheme, _, value = header.partition(" ")
        if scheme != "Basic":
            return None
        name, _, password = base64.b64decode(value).decode().partition(":")
        if self.passwords.get(name) == password or IDENTITY_TOKENS.get(password) == name:
            return name
        return None

    def exchanged(self, form: dict[str, str]) -> httpx.Response:
        user = IDENTITY_TOKENS.get(form.get("refresh_token", ""))
        if form.get("grant_type") != "refresh_token" or user is None:
            return self.wrong_password()
        return self.given(user, form.get("scope", "").split())

    def wrong_password(self) -> httpx.Response:
        return httpx.Response(401, json={"errors": [{"code": "UNAUTHORIZED", "message": "no"}]})

    def given(self, user: str | None, asked: list[str]) -> httpx.Response:
        token = f"token-{next(self._numbers)}"
        scopes: dict[str, frozenset[str]] = {}
        for text in asked:
            resource, actions = parse_scope(text)
            scopes[resource] = scopes.get(resource, frozenset()) | self.allowed(
                user, resource, actions
            )
        self.issued[token] = Issued(user, scopes, self.time.seconds + self.real_life)
        return httpx.Response(200, json=self.reply(token))

    def allowed(self, user: str | None, resource: str, actions: frozenset[str]) -> frozenset[str]:
        owner = resource.removeprefix("repository:").split("/")[0]
        if user is not None and owner == user:
            return actions
        return actions & {"pull"} if owner == "public" else frozenset()

    def reply(self, token: str) -> dict[str, object]:
        return {"token": token} | ({} if self.life is None else {"expires_in": self.life})


class Harbor(Vendor):
    """Challenges for Basic once it saw any authorization; a wrong password is anonymous."""

    def challenge(self, request: httpx.Request, scope: str) -> dict[str, str]:
        if "authorization" in request.headers:
            return {"WWW-Authenticate": 'Basic realm="harbor"'}
        return super().challenge(request, scope)

    def authenticated(self, request: httpx.Request) -> tuple[str | None, Scopes]:
        header = request.headers.get("authorization", "")
        user = self.user_of(header)
        if user is None:
            return super().authenticated(request)
        needed = self.needed(request)
        resource, actions = parse_scope(needed or "registry:ping:pull")
        return user, {resource: self.allowed(user, resource, actions)}

    def wrong_password(self) -> httpx.Response:
        return self.given(None, [])


class Quay(Vendor):
    """Takes no Basic, says no life, and locks a user for half a second after a wrong password."""

    locked_until = 0.0

    def token(self, request: httpx.Request) -> httpx.Response:
        if self.time.seconds < self.locked_until:
            return httpx.Response(429, headers={"Retry-After": "0"}, text="Too many login attempts")
        for scope in request.url.params.get_list("scope"):
            if " " in scope or not parse_scope(scope)[1] <= {"pull", "push", "*"}:
                return httpx.Response(400, json={"errors": [{"code": "INVALID_REQUEST"}]})
        if request.method == "POST":
            return httpx.Response(405, text="<html>Method Not Allowed</html>")
        return super().token(request)

    def wrong_password(self) -> httpx.Response:
        self.locked_until = self.time.seconds + 0.5
        return super().wrong_password()


class BasicOnly(Vendor):
    """Distribution with a password file; ``closed/…`` is closed to everybody, also by 401."""

    def resource(self, request: httpx.Request) -> httpx.Response:
        user = self.user_of(request.headers.get("authorization", ""))
        closed = request.url.path.startswith("/v2/closed/")
        if user is not None and not closed:
            return httpx.Response(200)
        return httpx.Response(401, headers={"WWW-Authenticate": 'Basic realm="Registry Realm"'})


class Unchallenging(Vendor):
    """Says what it wants at the ping alone, as gcr.io was seen to do."""

    def challenge(self, request: httpx.Request, scope: str) -> dict[str, str]:
        return super().challenge(request, "") if self.needed(request) is None else {}


class Demanding(Vendor):
    """Wants another scope than the one that everybody would ask for, and says so."""

    def resource(self, request: httpx.Request) -> httpx.Response:
        _, scopes = self.authenticated(request)
        extra = "artifact-repository:alice/app:metadata_read"
        if "metadata_read" in scopes.get("artifact-repository:alice/app", ()):
            return httpx.Response(200)
        error = ',error="insufficient_scope"' if scopes else ""
        challenge = f'Bearer realm="{self.realm}",service="{HOST}",scope="{extra}"{error}'
        return httpx.Response(401, headers={"WWW-Authenticate": challenge})

    def allowed(self, user: str | None, resource: str, actions: frozenset[str]) -> frozenset[str]:
        return actions if user else frozenset()


def no_form(status: int) -> type[Vendor]:
    """A vendor that takes no token requests by POST and says so with *status*."""

    class NoForm(Vendor):
        def exchanged(self, form: dict[str, str]) -> httpx.Response:
            return httpx.Response(status, text="no such thing")

    return NoForm


def json_answer(value: object) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(200, content=json.dumps(value).encode())
