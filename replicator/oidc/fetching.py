"""Requests to the provider: bounded in time and size, and never led elsewhere."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
from collections.abc import Mapping
from typing import Any, Final

import httpx

from replicator.errors import ProviderUnavailable

# Seconds for all of one answer, and bytes of it.
_LONGEST: Final = 10.0
_LARGEST: Final = 1024 * 1024


async def get(url: str, *, bearer: str = "") -> Mapping[str, Any]:
    """Return the JSON object at *url*. Raises ProviderUnavailable."""
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    status, found = await _ask("GET", url, headers=headers)
    if status != 200:
        raise ProviderUnavailable(f"{_host(url)} answered {status} instead of what it knows")
    return found


async def post(
    url: str, fields: Mapping[str, str], login: tuple[str, str] | None
) -> tuple[int, Mapping[str, Any]]:
    """Send a form, and return the status and the JSON object of the answer.

    *login* goes along as HTTP Basic. Raises ProviderUnavailable.
    """
    auth = None if login is None else httpx.BasicAuth(*login)
    return await _ask("POST", url, data=dict(fields), auth=auth)


async def _ask(method: str, url: str, **how: Any) -> tuple[int, Mapping[str, Any]]:
    try:
        async with (
            asyncio.timeout(_LONGEST),
            httpx.AsyncClient(follow_redirects=False, timeout=_LONGEST) as client,
            client.stream(method, url, **how) as answer,
        ):
            return answer.status_code, _object(await _body(answer, url), url)
    except TimeoutError:
        raise ProviderUnavailable(f"{_host(url)} did not answer in {_LONGEST:.0f} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise ProviderUnavailable(f"{_host(url)} cannot be reached: {_reason(error)}") from None


async def _body(answer: httpx.Response, url: str) -> bytes:
    body = bytearray()
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > _LARGEST:
            raise ProviderUnavailable(f"{_host(url)} sent more than {_LARGEST} bytes")
    return bytes(body)


def _object(body: bytes, url: str) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ProviderUnavailable(f"{_host(url)} sent something that is no JSON object")
    return found


def _host(url: str) -> str:
    """Return host and port, as somebody has to look for them in a firewall."""
    parts = httpx.URL(url)
    host = f"[{parts.host}]" if ":" in parts.host else parts.host
    return f"{host}:{parts.port or (80 if parts.scheme == 'http' else 443)}"


def _reason(error: BaseException) -> str:
    """Return what the system says below the library's error; no part of the address is in it."""
    found: BaseException | None = error
    while found is not None:
        match found:
            case ssl.SSLCertVerificationError():
                return f"its certificate is not trusted ({found.verify_message})"
            case socket.gaierror():
                return f"the host is not known ({found.strerror})"
            case OSError(errno=int(number)) if not isinstance(found, ssl.SSLError):
                return os.strerror(number).lower()
        found = found.__cause__ or found.__context__
    return type(error).__name__
