"""E-mail, by the standard library, which blocks: it is called in a thread."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from typing import Final
from urllib.parse import urlsplit

from replicator.errors import ConfigError, NotDelivered
from replicator.notify.settings import Channel

# Seconds for each answer of the server.
_LONGEST: Final = 10.0
_PORTS: Final = {"smtp": 25, "smtps": 465}


def send_mail(channel: Channel, url: str, password: str, subject: str, text: str) -> None:
    """Send a mail by *url*, ``smtp://HOST[:PORT]`` or ``smtps://``.

    Over ``smtp`` the connection is encrypted if the server can; a password needs that it is.
    Raises NotDelivered, ConfigError.
    """
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = subject, channel.sender, ", ".join(channel.to)
    mail.set_content(text)
    try:
        with _connected(url) as server:
            if channel.username:
                _log_in(server, channel, password)
            server.send_message(mail)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise NotDelivered(f"{channel.name}: {type(error).__name__}: {error}") from error


def _connected(url: str) -> smtplib.SMTP:
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        # It may be a secret, so it is not shown.
        raise ConfigError("its address is not of the form smtp://HOST[:PORT] or smtps://…")
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    context = ssl.create_default_context()
    if parts.scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=_LONGEST, context=context)
    server = smtplib.SMTP(host, port, timeout=_LONGEST)
    try:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=context)
    except BaseException:
        server.close()
        raise
    return server


def _log_in(server: smtplib.SMTP, channel: Channel, password: str) -> None:
    if not isinstance(server.sock, ssl.SSLSocket):
        raise NotDelivered(
            f"{channel.name}: the server does not encrypt, so it is not given the password"
        )
    server.login(channel.username, password)
