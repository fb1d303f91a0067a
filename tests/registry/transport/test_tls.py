"""TLS: whom we trust, who we are, and what happens when it fails."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import warnings
from pathlib import Path

import httpx
import pytest

from replicator.errors import ConfigError
from replicator.registry.settings import Tls
from replicator.registry.transport import Http1Transport, make_ssl_context, shared_ssl_context
from tests.registry.transport.requests import fetch, pieces_of, send
from tests.registry.transport.scripted import OK, Peer, serving
from tests.support.certificates import Authority, CertificateFiles

MIB = 1024 * 1024


@pytest.fixture(scope="session")
def certificate(authority: Authority, tmp_path_factory) -> CertificateFiles:
    return authority.issue(tmp_path_factory.mktemp("server"), "server")


@pytest.fixture
def server_tls(certificate: CertificateFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


@pytest.fixture
def trusting(authority: Authority) -> ssl.SSLContext:
    return make_ssl_context(Tls(ca_file=authority.certificate))


async def answering_ok(peer: Peer) -> None:
    await peer.answer_all(OK)


async def test_a_server_of_the_given_authority_is_trusted(make_transport, trusting, server_tls):
    async with (
        serving(answering_ok, tls=server_tls) as server,
        make_transport(trusting) as transport,
    ):
        for _ in range(3):
            assert await fetch(transport, server.url) == b"ok"
        assert len(server.peers) == 1
        session = server.peers[0].writer.get_extra_info("ssl_object")
        assert session.selected_alpn_protocol() == "http/1.1"
        assert session.version() == "TLSv1.3"


async def test_a_server_that_is_not_trusted_gets_no_request(make_transport, server_tls):
    async def script(peer: Peer) -> None:
        raise AssertionError(await peer.head())

    context = make_ssl_context(Tls())
    async with serving(script, tls=server_tls) as server, make_transport(context) as transport:
        with pytest.raises(httpx.ConnectError) as failure:
            await fetch(transport, server.url)

    assert isinstance(certificate_error(failure.value), ssl.SSLCertVerificationError)


def certificate_error(error: BaseException | None) -> BaseException | None:
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error


async def test_the_cause_of_our_error_says_what_is_wrong_with_the_certificate(ours, server_tls):
    async with serving(answering_ok, tls=server_tls) as server:
        with pytest.raises(httpx.ConnectError) as failure:
            await fetch(ours, server.url)

    assert isinstance(failure.value.__cause__, ssl.SSLCertVerificationError)
    assert "unable to get local issuer" in failure.value.__cause__.verify_message


async def test_a_certificate_for_another_host_is_refused(make_transport, trusting, server_tls):
    async with (
        serving(answering_ok, tls=server_tls, host="127.0.0.2") as server,
        make_transport(trusting) as transport,
    ):
        with pytest.raises(httpx.ConnectError) as failure:
            await fetch(transport, server.url)

    assert "mismatch" in str(certificate_error(failure.value))


async def test_a_self_signed_certificate_is_trusted_only_when_it_is_given(tmp_path, server_tls):
    own = Authority(tmp_path, name="localhost").issue(tmp_path, "own")
    server_tls.load_cert_chain(own.certificate, own.key)
    async with serving(answering_ok, tls=server_tls) as server:
        async with Http1Transport() as strict:
            with pytest.raises(httpx.ConnectError):
                await fetch(strict, server.url)
        # As in Docker, the file may hold the server's own certificate.
        context = make_ssl_context(Tls(ca_file=own.certificate))
        async with Http1Transport(ssl_context=context) as trusting:
            assert await fetch(trusting, server.url) == b"ok"


async def test_nothing_is_checked_when_that_is_asked_for(make_transport, server_tls):
    context = make_ssl_context(Tls(verify=False))
    async with (
        serving(answering_ok, tls=server_tls) as server,
        make_transport(context) as transport,
    ):
        assert await fetch(transport, server.url) == b"ok"


async def test_an_old_version_of_tls_is_refused(make_transport, trusting, server_tls):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        server_tls.minimum_version = server_tls.maximum_version = ssl.TLSVersion.TLSv1_1
    server_tls.set_ciphers("ALL:@SECLEVEL=0")
    async with (
        serving(answering_ok, tls=server_tls) as server,
        make_transport(trusting) as transport,
    ):
        with pytest.raises(httpx.ConnectError):
            await fetch(transport, server.url)


async def test_version_1_2_is_spoken(make_transport, trusting, server_tls):
    server_tls.maximum_version = ssl.TLSVersion.TLSv1_2
    async with (
        serving(answering_ok, tls=server_tls) as server,
        make_transport(trusting) as transport,
    ):
        for _ in range(2):
            assert await fetch(transport, server.url) == b"ok"
        assert len(server.peers) == 1


async def test_a_client_shows_its_certificate(make_transport, authority, certificate, server_tls):
    server_tls.verify_mode = ssl.CERT_REQUIRED
    server_tls.load_verify_locations(authority.certificate)
    context = make_ssl_context(
        Tls(
            ca_file=authority.certificate,
            cert_file=certificate.certificate,
            key_file=certificate.key,
        )
    )
    async with (
        serving(answering_ok, tls=server_tls) as server,
        make_transport(context) as transport,
    ):
        assert await fetch(transport, server.url) == b"ok"


async def test_a_client_without_a_certificate_is_an_error_where_one_is_asked_for(
    make_transport, authority, trusting, server_tls
):
    server_tls.verify_mode = ssl.CERT_REQUIRED
    server_tls.load_verify_locations(authority.certificate)
    async with (
        serving(answering_ok, tls=server_tls) as server,
        make_transport(trusting) as transport,
    ):
        with pytest.raises(httpx.TransportError):
            await fetch(transport, server.url)


async def test_a_server_that_speaks_no_tls_is_an_error_of_the_connection(make_transport, trusting):
    async def script(peer: Peer) -> None:
        await peer.reader.read(1)
        await peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    async with serving(script) as server, make_transport(trusting) as transport:
        with pytest.raises(httpx.ConnectError):
            await fetch(transport, server.url.replace("http", "https"))


async def test_a_handshake_that_hangs_has_a_limit(make_transport, trusting):
    async def script(peer: Peer) -> None:
        await peer.closed_by_client()

    async with serving(script) as server, make_transport(trusting) as transport:
        url = server.url.replace("http", "https")
        with pytest.raises(httpx.ConnectTimeout):
            await fetch(transport, url, limits={"connect": 0.1})


async def test_large_bodies_pass_both_ways(make_transport, trusting, server_tls):
    async def script(peer: Peer) -> None:
        received = (await peer.request()).body
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(received), received)
        await peer.closed_by_client()

    content = b"".join(number.to_bytes(4, "big") for number in range(2 * MIB))
    view = memoryview(content)
    pieces = [view[at : at + MIB] for at in range(0, len(content), MIB)]
    async with serving(script, tls=server_tls) as server, make_transport(trusting) as transport:
        headers = {"Content-Length": str(len(content))}
        response = await send(
            transport, "PUT", server.url, content=pieces_of(pieces), headers=headers
        )
        assert await response.aread() == content


async def test_an_answer_ends_the_sending(trusting, server_tls):
    async def endless():
        while True:
            yield bytes(MIB)

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nmuch")
        await peer.closed_by_client()

    async with (
        serving(script, tls=server_tls) as server,
        Http1Transport(ssl_context=trusting) as transport,
    ):
        response = await send(transport, "PUT", server.url, content=endless())
        assert response.status_code == 413
        assert await response.aread() == b"much"


async def test_a_connection_closed_while_idle_is_not_used(trusting, server_tls):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        if peer.number == 0:
            # Says that it is the end, and waits for us to say so, too.
            peer.writer.close()
            closed.set()
        else:
            await peer.closed_by_client()

    closed = asyncio.Event()
    async with (
        serving(script, tls=server_tls) as server,
        Http1Transport(ssl_context=trusting) as transport,
    ):
        await fetch(transport, server.url)
        await closed.wait()
        headers = {"Content-Length": "1"}
        response = await send(
            transport, "PUT", server.url, content=pieces_of([b"x"]), headers=headers
        )
        assert response.status_code == 200


@pytest.mark.parametrize("announced", [True, False])
async def test_an_end_that_is_not_announced_is_no_end_of_a_body(trusting, server_tls, announced):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        if not announced:
            # Ends the TCP connection under the TLS session.
            tcp = peer.writer.get_extra_info("socket")
            with socket.socket(fileno=os.dup(tcp.fileno())) as same:
                same.shutdown(socket.SHUT_WR)
            await peer.closed_by_client()

    async with (
        serving(script, tls=server_tls) as server,
        Http1Transport(ssl_context=trusting) as transport,
    ):
        if announced:
            assert await fetch(transport, server.url) == b"all of it"
        else:
            with pytest.raises(httpx.ReadError):
                await fetch(transport, server.url)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Tls(ca_file=Path("missing.pem")), "ca_file missing.pem: No such file"),
        (Tls(cert_file=Path("missing.pem")), "cert_file missing.pem: No such file"),
        (Tls(key_file=Path("lonely.key")), "key_file lonely.key is of no use"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(settings, message):
    with pytest.raises(ConfigError, match=message):
        make_ssl_context(settings)


def test_a_file_that_is_no_certificate_is_named(tmp_path):
    nonsense = tmp_path / "ca.pem"
    nonsense.write_text("nonsense")
    with pytest.raises(ConfigError, match=r"ca.pem: not a PEM file"):
        make_ssl_context(Tls(ca_file=nonsense))
    with pytest.raises(ConfigError, match=r"ca.pem: not a PEM file"):
        make_ssl_context(Tls(cert_file=nonsense))


def test_a_key_of_another_certificate_is_named(authority, certificate, tmp_path):
    other = authority.issue(tmp_path, "other")
    with pytest.raises(ConfigError, match="key_file"):
        make_ssl_context(Tls(cert_file=certificate.certificate, key_file=other.key))


def test_equal_settings_share_a_context_and_others_do_not(authority):
    ours = shared_ssl_context(Tls(ca_file=authority.certificate))
    assert shared_ssl_context(Tls(ca_file=authority.certificate)) is ours
    assert shared_ssl_context(Tls()) is not ours
    assert shared_ssl_context(Tls(verify=False)).verify_mode is ssl.CERT_NONE
    assert ours.verify_mode is ssl.CERT_REQUIRED


def test_a_file_that_is_replaced_is_read_anew(authority, tmp_path):
    other = Authority(tmp_path, name="The next CA")
    link = tmp_path / "ca.pem"
    link.symlink_to(authority.certificate)
    before = shared_ssl_context(Tls(ca_file=link))
    link.unlink()
    link.symlink_to(other.certificate)
    after = shared_ssl_context(Tls(ca_file=link))
    assert "The next CA" in str(after.get_ca_certs())
    assert "The next CA" not in str(before.get_ca_certs())


def test_a_file_that_is_not_there_is_looked_for_each_time(authority, tmp_path):
    late = tmp_path / "late.pem"
    with pytest.raises(ConfigError, match=r"late.pem: No such file"):
        shared_ssl_context(Tls(ca_file=late))
    late.write_bytes(authority.certificate.read_bytes())
    shared_ssl_context(Tls(ca_file=late))
