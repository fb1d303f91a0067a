"""Receivers of messages on this machine, of HTTP and of mail; they keep what they were sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Received:
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class HttpReceiver:
    """Answers *status* to all that comes; with *silent* it says nothing at all."""

    url: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)


@asynccontextmanager
async def http_receiver() -> AsyncIterator[HttpReceiver]:
    receiver = HttpReceiver()

    async def answer(reader, writer) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        receiver.received.append(Received(head[0].split()[1], headers, body))
        lines = [f"{name}: {value}" for name, value in receiver.headers.items()]
        told = "\r\n".join([f"HTTP/1.1 {receiver.status} X", "Content-Length: 0", *lines])
        writer.write(f"{told}\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async with _server(answer) as port:
        receiver.url = f"http://127.0.0.1:{port}"
        yield receiver


@dataclass
class MailReceiver:
    """A mail server that cannot encrypt."""

    url: str = ""
    recipients: list[str] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    refuses: bool = False


@asynccontextmanager
async def mail_receiver() -> AsyncIterator[MailReceiver]:
    receiver = MailReceiver()

    async def converse(reader, writer) -> None:
        def say(text: str) -> None:
            writer.write(f"{text}\r\n".encode())

        say("220 mail.test")
        while line := (await reader.readline()).decode().strip():
            receiver.commands.append(line)
            match line.split()[0].upper():
                case "EHLO":
                    say("250-mail.test\r\n250 AUTH PLAIN")
                case "RCPT":
                    receiver.recipients.append(line)
                    say("550 no such box" if receiver.refuses else "250 ok")
                case "DATA":
                    say("354 go on")
                    mail = await reader.readuntil(b"\r\n.\r\n")
                    receiver.mails.append(mail.decode())
                    say("250 ok")
                case "QUIT":
                    say("221 bye")
                    break
                case _:
                    say("250 ok")
            await writer.drain()
        writer.close()

    async with _server(converse) as port:
        receiver.url = f"smtp://127.0.0.1:{port}"
        yield receiver


@asynccontextmanager
async def _server(serve: Callable) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
