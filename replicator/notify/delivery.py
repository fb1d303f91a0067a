"""Delivery: one message over one channel. Whatever goes wrong is NotDelivered."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

import httpx

from replicator.errors import ConfigError, NotDelivered
from replicator.notify.message import Message
from replicator.notify.settings import Channel, ChannelKind

# Seconds for all of it: whoever is slower hears later.
_LONGEST: Final = 10.0
# Characters of an answer that are shown.
_SHOWN: Final = 200


class Delivery:
    """Sends messages. *environment* is where secrets may be; *clock* is in UTC."""

    def __init__(self, environment: Mapping[str, str], clock: Callable[[], datetime]) -> None:
        self._environment = environment
        self._clock = clock

    async def send(self, channel: Channel, message: Message) -> None:
        """Send a message. Raises NotDelivered; what it says shows no secret."""
        try:
            async with asyncio.timeout(_LONGEST):
                await self._send(channel, message)
        except TimeoutError:
            raise NotDelivered(f"{channel.name}: no answer within {_LONGEST:.0f} s") from None
        except ConfigError as error:
            raise NotDelivered(f"{channel.name}: {error}") from error

    async def _send(self, channel: Channel, message: Message) -> None:
        match channel.kind:
            case ChannelKind.WEBHOOK:
                await self._webhook(channel, message)
            case ChannelKind.SLACK:
                text = _escaped(message.text(channel.template))
                await self._post(channel, _json({"text": text}), {})
            case ChannelKind.ALERTMANAGER:
                alerts = message.alerts()
                if alerts:
                    await self._post(channel, _json(alerts), {}, path="/api/v2/alerts")
            case ChannelKind.EMAIL:
                await self._mail(channel, message)

    async def _webhook(self, channel: Channel, message: Message) -> None:
        """Send JSON, or what the template makes, signed as standardwebhooks.com has it."""
        body = message.text(channel.template).encode() if channel.template else b""
        body = body or _json(message.document())
        headers = {}
        if secret := channel.secret.read(self._environment):
            headers = _signed(secret, body, self._clock())
        await self._post(channel, body, headers)

    async def _post(
        self, channel: Channel, body: bytes, headers: Mapping[str, str], *, path: str = ""
    ) -> None:
        url = channel.url.read(self._environment).rstrip("/") + path
        kind = {"content-type": "application/json" if _is_json(body) else "text/plain"}
        try:
            # No redirects: where messages go is for the configuration alone to say.
            async with (
                httpx.AsyncClient(follow_redirects=False, timeout=_LONGEST) as client,
                client.stream("POST", url, content=body, headers={**kind, **headers}) as answer,
            ):
                said = "" if answer.is_success else await _beginning(answer)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            what = type(error).__name__
            raise NotDelivered(f"{channel.name}: no answer ({what})") from None
        if not answer.is_success:
            raise NotDelivered(f"{channel.name}: answered {answer.status_code} {said!a}")

    async def _mail(self, channel: Channel, message: Message) -> None:
        from replicator.notify.mail import send_mail

        url = channel.url.read(self._environment)
        password = channel.secret.read(self._environment)
        text = message.text(channel.template)
        await asyncio.to_thread(send_mail, channel, url, password, message.subject, text)


async def _beginning(answer: httpx.Response) -> str:
    """Return how an answer begins; whoever answers may never come to an end."""
    text = ""
    async for part in answer.aiter_text():
        text += part
        if len(text) >= _SHOWN:
            break
    return text[:_SHOWN]


def _signed(secret: str, body: bytes, now: datetime) -> dict[str, str]:
    identifier, moment = f"msg_{uuid4().hex}", str(int(now.timestamp()))
    content = f"{identifier}.{moment}.".encode() + body
    mac = hmac.new(_key(secret), content, hashlib.sha256).digest()
    return {
        "webhook-id": identifier,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def _key(secret: str) -> bytes:
    """Read ``whsec_`` and base64, as verifiers of such signatures have it, or else plain text."""
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_").strip(), validate=True)
        except ValueError:
            raise ConfigError("what follows whsec_ is not base64 in its secret") from None
    return secret.encode()


def _escaped(text: str) -> str:
    """Leave no markup of Slack's in what registries and tags are called."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True
