"""Messages, sent to receivers on this machine."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from contextlib import suppress
from dataclasses import replace

import pytest

from replicator.errors import NotDelivered
from replicator.notify.delivery import Delivery
from replicator.notify.message import Message
from replicator.notify.settings import Channel, ChannelKind, Secret
from replicator.notify.telling import Notice, Occasion, Topic
from tests.notify.receivers import http_receiver, mail_receiver
from tests.store.values import NOON

FAILED = Notice(Occasion.FAILURE, "base", "r1", NOON, "rule base failed: <no> & never", {"a": 1})
WELL = Notice(Occasion.RECOVERY, "other", "r2", NOON, "rule other is well again", {})
MESSAGE = Message([(Topic.RUNS, FAILED), (Topic.RUNS, WELL)])
SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
async def web():
    async with http_receiver() as receiver:
        yield receiver


@pytest.fixture
async def mail():
    async with mail_receiver() as receiver:
        yield receiver


async def send(channel: Channel, message: Message = MESSAGE) -> None:
    await Delivery({"HOOK": SECRET}, lambda: NOON).send(channel, message)


def channel(kind: ChannelKind, url: str, **more) -> Channel:
    return Channel("ops", kind, Secret(url), **more)


async def test_a_webhook_gets_all_notices_in_one_message(web):
    await send(channel(ChannelKind.WEBHOOK, f"{web.url}/hook"))

    (received,) = web.received
    told = json.loads(received.body)
    assert (received.path, received.headers["content-type"]) == ("/hook", "application/json")
    assert told["subject"] == "replicate: 1 failing, 1 well again"
    assert [notice["rule"] for notice in told["notices"]] == ["base", "other"]
    assert told["notices"][0] == {
        "occasion": "failure",
        "rule": "base",
        "run": "r1",
        "at": "2026-03-14T12:00:00Z",
        "text": "rule base failed: <no> & never",
        "facts": {"a": 1},
    }
    assert "webhook-signature" not in received.headers


@pytest.mark.parametrize("form", ["plain", "whsec"])
async def test_a_webhook_is_signed_so_that_it_can_be_verified(web, form):
    key = SECRET.encode()
    secret = SECRET if form == "plain" else f"whsec_{base64.b64encode(key).decode()}"

    await send(channel(ChannelKind.WEBHOOK, web.url, secret=Secret(secret)))

    (received,) = web.received
    identifier, moment = (received.headers[f"webhook-{each}"] for each in ("id", "timestamp"))
    signed = f"{identifier}.{moment}.".encode() + received.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert received.headers["webhook-signature"] == f"v1,{expected}"
    assert int(moment) == NOON.timestamp()


async def test_a_template_is_the_body_of_a_webhook(web):
    template = '{"content": {{ subject | tojson }}, "n": {{ notices | length }}}'

    await send(channel(ChannelKind.WEBHOOK, web.url, template=template))

    assert json.loads(web.received[0].body) == {
        "content": "replicate: 1 failing, 1 well again",
        "n": 2,
    }


@pytest.mark.parametrize(
    "template",
    [
        "{{ 1 / 0 }}",
        "{{ subject.__class__.__mro__[1].__subclasses__() }}",
        "{{ x.y.z }}",
        "{{ '%(number)s' % {} }}",
        "{{ subject.encode('no such code') }}",
    ],
)
async def test_a_template_that_breaks_or_breaks_out_delivers_nothing(web, template):
    with pytest.raises(NotDelivered, match="the template cannot be filled in"):
        await send(channel(ChannelKind.WEBHOOK, web.url, template=template))

    assert web.received == []


async def test_slack_gets_text_without_markup(web):
    await send(channel(ChannelKind.SLACK, f"{web.url}/services/T/B/x"))

    assert json.loads(web.received[0].body) == {
        "text": "rule base failed: &lt;no&gt; &amp; never\nrule other is well again"
    }


async def test_an_alertmanager_gets_alerts_that_last_or_end(web):
    await send(channel(ChannelKind.ALERTMANAGER, f"{web.url}/"))

    (received,) = web.received
    failing, well = json.loads(received.body)
    assert received.path == "/api/v2/alerts"
    assert failing["labels"]["rule"] == "base"
    assert failing["startsAt"] == NOON.isoformat()
    assert failing["endsAt"] > NOON.isoformat()
    assert (well["labels"]["alertname"], well["endsAt"]) == (
        failing["labels"]["alertname"],
        NOON.isoformat(),
    )


async def test_an_address_may_be_in_a_variable(web, tmp_path):
    (tmp_path / "url").write_text(f"{web.url}/secret\n")

    await send(replace(channel(ChannelKind.SLACK, ""), url=Secret(file=tmp_path / "url")))

    assert web.received[0].path == "/secret"


@pytest.mark.parametrize("status", [301, 400, 404, 429, 500])
async def test_an_answer_that_is_not_well_is_no_delivery(web, status):
    web.status, web.headers = status, {"Location": f"{web.url}/elsewhere"}

    with pytest.raises(NotDelivered, match=f"ops: answered {status}"):
        await send(channel(ChannelKind.WEBHOOK, web.url))

    assert len(web.received) == 1


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/secret", "http://name.invalid/secret", "http://[::bad/secret"]
)
async def test_who_is_not_there_gets_nothing_and_no_message_shows_the_address(url):
    with pytest.raises(NotDelivered) as failed:
        await send(channel(ChannelKind.WEBHOOK, url))

    assert "secret" not in str(failed.value)


async def test_a_variable_that_is_missing_is_named():
    missing = replace(channel(ChannelKind.WEBHOOK, ""), url=Secret(variable="NOWHERE"))

    with pytest.raises(NotDelivered, match="NOWHERE is not set"):
        await send(missing)


async def test_a_secret_that_cannot_be_a_key_is_said_and_not_shown(web):
    told = channel(ChannelKind.WEBHOOK, web.url, secret=Secret("whsec_hidden!"))

    with pytest.raises(NotDelivered, match="whsec_ is not base64") as failed:
        await send(told)

    assert "hidden" not in str(failed.value)


async def test_an_address_in_a_variable_that_is_none_of_mail_is_said_and_not_shown():
    told = channel(ChannelKind.EMAIL, "", sender="r@x.org", to=("a@example.com",))

    with pytest.raises(NotDelivered, match="smtp://HOST") as failed:
        await Delivery({"MAIL": "hidden:25"}, lambda: NOON).send(
            replace(told, url=Secret(variable="MAIL")), MESSAGE
        )

    assert "hidden" not in str(failed.value)


async def test_an_answer_without_end_is_not_read_to_its_end():
    sent = 0

    async def answer(reader, writer) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 500 X\r\n\r\n")
        with suppress(OSError):
            while True:
                writer.write(bytes(64 * 1024))
                sent += 64 * 1024
                await writer.drain()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NotDelivered, match="answered 500"):
            await send(channel(ChannelKind.WEBHOOK, f"http://127.0.0.1:{port}"))

    assert sent < 16 * 1024 * 1024


async def test_mail_goes_to_all_who_are_named(mail):
    to = ("a@example.com", "b@example.com")

    await send(channel(ChannelKind.EMAIL, mail.url, sender="replicate@example.com", to=to))

    (text,) = mail.mails
    addresses = [line.partition(":")[2] for line in mail.recipients]
    assert addresses == ["<a@example.com>", "<b@example.com>"]
    assert "Subject: replicate: 1 failing, 1 well again" in text
    assert "rule other is well again" in text


async def test_a_password_is_not_sent_where_it_could_be_read(mail):
    to = ("a@example.com",)
    told = channel(
        ChannelKind.EMAIL, mail.url, sender="r@x.org", to=to, username="me", secret=Secret(SECRET)
    )

    with pytest.raises(NotDelivered, match="does not encrypt"):
        await send(told)

    assert not any("AUTH" in command for command in mail.commands)


async def test_a_box_that_is_not_there_is_said(mail):
    mail.refuses = True

    with pytest.raises(NotDelivered, match="no such box"):
        await send(channel(ChannelKind.EMAIL, mail.url, sender="r@x.org", to=("a@example.com",)))


async def test_a_name_with_a_line_break_makes_no_header(mail):
    notice = replace(FAILED, text="rule x\r\nBcc: everybody@example.com")

    await send(
        channel(ChannelKind.EMAIL, mail.url, sender="r@x.org", to=("a@example.com",)),
        Message([(Topic.RUNS, notice)]),
    )

    head, _, _ = mail.mails[0].partition("\r\n\r\n")
    assert "Bcc" not in head
