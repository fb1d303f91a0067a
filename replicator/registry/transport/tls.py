"""How TLS is spoken: from a registry's settings to an SSL context."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path
from typing import Final

from replicator.errors import ConfigError
from replicator.registry.settings import Tls

# Kinds of settings that are remembered with their contexts; those of old files drop out.
_SHARED: Final = 32


def shared_ssl_context(tls: Tls) -> ssl.SSLContext:
    """Return a context for these settings, the same one for as long as their files stay the same.

    Loading the system's roots takes some 20 ms, so registries with equal settings share that.

    Raises ConfigError as ``make_ssl_context`` does.
    """
    files = (tls.ca_file, tls.cert_file, tls.key_file)
    return _remembered(tls, tuple(map(_version, files)))


@lru_cache(_SHARED)
def _remembered(tls: Tls, versions: tuple[tuple[int, ...] | None, ...]) -> ssl.SSLContext:
    return make_ssl_context(tls)


def _version(file: Path | None) -> tuple[int, ...] | None:
    """Return what changes with the file, or None where there is none to be seen."""
    try:
        now = file.stat() if file else None
    except OSError:
        return None  # Whoever reads it says so.
    return now and (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns)


def make_ssl_context(tls: Tls) -> ssl.SSLContext:
    """Make the context for connections to one registry.

    Certificates are checked against the system's roots and *tls.ca_file*, and host names against
    certificates, unless *tls.verify* is false.

    Raises ConfigError if a file cannot be read or is not what it should be.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    # HTTP/2 makes blobs dearer everywhere, so it is not offered.
    context.set_alpn_protocols(["http/1.1"])
    if tls.verify:
        _trust(context, tls.ca_file)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    _show_certificate(context, tls.cert_file, tls.key_file)
    return context


def _trust(context: ssl.SSLContext, ca_file: Path | None) -> None:
    context.load_default_certs()
    # As in Docker and Go, whatever certificate is in the file is trusted, be it an intermediate
    # one or the server's own.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if ca_file is None:
        return
    try:
        context.load_verify_locations(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"ca_file {ca_file}: {_reason(error)}") from error


def _show_certificate(
    context: ssl.SSLContext, cert_file: Path | None, key_file: Path | None
) -> None:
    if cert_file is None:
        if key_file is not None:
            raise ConfigError(f"key_file {key_file} is of no use without a cert_file")
        return
    try:
        # The empty password keeps OpenSSL from asking on the terminal.
        context.load_cert_chain(cert_file, key_file, password="")
    except OSError as error:
        files = f"cert_file {cert_file}" + (f", key_file {key_file}" if key_file else "")
        raise ConfigError(f"{files}: {_reason(error)}") from error


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"not a PEM file as it should be ({error.reason or error.strerror})"
    return error.strerror or str(error)
