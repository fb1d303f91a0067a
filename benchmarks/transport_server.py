"""A server that costs little: it sends any number of bytes, takes any, and answers HEAD.

python -m benchmarks.transport_server [CERTIFICATE KEY]   prints its port and serves
"""

from __future__ import annotations

import os
import socket
import ssl
import sys
import threading
from contextlib import suppress

MIB = 1 << 20
MANIFEST = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n"
    b"Content-Type: application/vnd.oci.image.index.v1+json\r\n"
    b"Docker-Content-Digest: sha256:%b\r\nDocker-Distribution-Api-Version: registry/2.0\r\n"
    b'Etag: "sha256:%b"\r\nX-Content-Type-Options: nosniff\r\n'
    b"Date: Mon, 24 Nov 2025 13:11:00 GMT\r\n\r\n"
) % (b"9f" * 32, b"9f" * 32)


class Blobs:
    """Random bytes, sent by the kernel alone where there is no TLS."""

    def __init__(self) -> None:
        self._bytes = memoryview(os.urandom(MIB))
        self._file = os.memfd_create("blob")
        for _ in range(64):
            os.write(self._file, self._bytes)

    def send(self, client: socket.socket, size: int) -> None:
        while size:
            part = min(size, 64 * MIB)
            if isinstance(client, ssl.SSLSocket):
                part = min(size, MIB)
                client.sendall(self._bytes[:part])
            else:
                sent = 0
                while sent < part:
                    sent += os.sendfile(client.fileno(), self._file, sent, part - sent)
            size -= part


def answer(client: socket.socket, blobs: Blobs, buffer: memoryview) -> None:
    """Answer requests: GET /SIZE, PUT with a length, HEAD."""
    received = b""
    while True:
        while b"\r\n\r\n" not in received:
            if not (part := client.recv(65536)):
                return
            received += part
        head, _, received = received.partition(b"\r\n\r\n")
        if head.startswith(b"GET"):
            size = int(head.split()[1][1:])
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            blobs.send(client, size)
        elif head.startswith(b"PUT"):
            missing = int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])
            missing -= len(received)
            received = b""
            while missing:
                missing -= client.recv_into(buffer) or missing
            client.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        else:
            client.sendall(MANIFEST)


def serve(client: socket.socket, context: ssl.SSLContext | None, blobs: Blobs) -> None:
    with suppress(OSError), client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is None:
            answer(client, blobs, memoryview(bytearray(MIB)))
        else:
            with context.wrap_socket(client, server_side=True) as encrypted:
                answer(encrypted, blobs, memoryview(bytearray(MIB)))


def main(*files: str) -> None:
    context = None
    if files:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)
    blobs = Blobs()
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client, context, blobs), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
