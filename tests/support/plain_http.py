"""Requests to a registry with the standard library alone, and the login that they need."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from http.client import HTTPConnection
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from tests.support.address import Address, Credentials

Body = bytes | Iterable[bytes]


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes


class UnexpectedAnswer(Exception):
    """A registry did not do what the preparation of a test needs."""


class PlainClient:
    """One connection to one registry; use it from one thread at a time, and close it."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._connection = address.connect()
        self._authorization = _basic(address.credentials)

    def close(self) -> None:
        self._connection.close()

    def ask(
        self,
        method: str,
        uri: str,
        body: Body = b"",
        *,
        headers: dict[str, str] | None = None,
        expect: int | None = None,
    ) -> Answer:
        """Send a request. Raises UnexpectedAnswer if the status is not the one to *expect*."""
        answer = self._send(method, uri, body, headers or {})
        challenge = answer.headers.get("www-authenticate", "")
        if answer.status == 401 and challenge.startswith("Bearer "):
            self._authorization = {"Authorization": f"Bearer {self._fetch_token(challenge)}"}
            answer = self._send(method, uri, body, headers or {})
        if expect is not None and answer.status != expect:
            raise UnexpectedAnswer(f"{method} {uri}: {answer.status} {answer.body[:500]!r}")
        return answer

    def _send(self, method: str, uri: str, body: Body, headers: dict[str, str]) -> Answer:
        return _exchange(self._connection, method, uri, body, headers | self._authorization)

    def _fetch_token(self, challenge: str) -> str:
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        realm = urlsplit(fields.pop("realm"))
        connection = HTTPConnection(realm.netloc)
        try:
            answer = _exchange(
                connection,
                "GET",
                f"{realm.path}?{urlencode(fields)}",
                b"",
                _basic(self._address.credentials),
            )
        finally:
            connection.close()
        if answer.status != 200:
            raise UnexpectedAnswer(f"token: {answer.status} {answer.body[:500]!r}")
        token: str = json.loads(answer.body)["access_token"]
        return token


def _exchange(
    connection: HTTPConnection, method: str, uri: str, body: Body, headers: dict[str, str]
) -> Answer:
    connection.request(method, uri, body, headers)
    response = connection.getresponse()
    names = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, names, response.read())


def _basic(credentials: Credentials | None) -> dict[str, str]:
    if credentials is None:
        return {}
    encoded = base64.b64encode(":".join(credentials).encode()).decode()
    return {"Authorization": f"Basic {encoded}"}
