"""A registry that keeps nothing: it makes up what is read, and forgets what is written."""

from __future__ import annotations

import hashlib
import json
import random
import re
import socket
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_PIECE = 1 << 20


@dataclass(frozen=True)
class Image:
    """An image with one layer of *size* bytes, made of one piece over and over."""

    tag: str
    size: int
    seed: int

    @cached_property
    def piece(self):
        return random.Random(self.seed).randbytes(_PIECE)

    def layer(self, begin=0, end=None):
        """Yield the layer, or the bytes from *begin* to *end* of it, in pieces."""
        end = self.size if end is None else end
        while begin < end:
            at = begin % _PIECE
            piece = self.piece[at : at + end - begin]
            yield piece
            begin += len(piece)

    @cached_property
    def layer_digest(self):
        digest = hashlib.sha256()
        for piece in self.layer():
            digest.update(piece)
        return f"sha256:{digest.hexdigest()}"

    @cached_property
    def config(self):
        diff_ids = {"type": "layers", "diff_ids": [self.layer_digest]}
        return json.dumps({"os": "linux", "architecture": "amd64", "rootfs": diff_ids}).encode()

    @cached_property
    def manifest(self):
        layer = {"mediaType": _LAYER, "digest": self.layer_digest, "size": self.size}
        config = {"mediaType": _CONFIG, "digest": digest_of(self.config), "size": len(self.config)}
        body = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": [layer]}
        return json.dumps(body).encode()


def digest_of(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def serve(images):
    """Return a server on a free port that has *images*, and takes any others."""

    layers = {each.layer_digest: each for each in images}
    known = {
        "layers": layers,
        "configs": {digest_of(each.config): each.config for each in images},
        "by_reference": {each.tag: each for each in images}
        | {digest_of(each.manifest): each for each in images},
    }
    return _Server(("127.0.0.1", 0), type("_Handler", (_Handler,), known))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_GET(self):
        place = self.path.partition("?")[0]
        if place == "/v2/":
            self._answer(200)
        elif place.endswith("/tags/list"):
            tags = sorted(each.tag for each in self.layers.values())
            body = json.dumps({"name": "bench/large", "tags": tags}).encode()
            self._answer(200, body, type_="application/json")
        elif image := self.by_reference.get(place.rpartition("/manifests/")[2]):
            digest = digest_of(image.manifest)
            self._answer(200, image.manifest, type_=_MANIFEST, digest=digest)
        elif (config := self.configs.get(place.rpartition("/")[2])) is not None:
            self._answer(200, config)
        elif image := self.layers.get(place.rpartition("/")[2]):
            self._send_layer(image)
        else:
            self._answer(404)

    def do_HEAD(self):
        self.do_GET()

    def do_POST(self):
        self._read_body()
        self._answer(202, location=f"{self.path.partition('?')[0]}{random.randrange(1 << 60)}")

    def do_PATCH(self):
        self._read_body()
        self._answer(202, location=self.path.partition("?")[0])

    def do_PUT(self):
        body = self._read_body()
        digest = re.search(r"digest=(sha256)(?::|%3A)(\w+)", self.path)
        said = f"{digest[1]}:{digest[2]}" if digest else digest_of(body)
        self._answer(201, digest=said, location=self.path.partition("?")[0])

    def _read_body(self):
        """Read the body and forget it; returns it if it is no more than a manifest."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            self._read_chunks()
            return b""
        left, kept = int(self.headers.get("Content-Length", 0)), b""
        while left:
            piece = self.rfile.read1(min(left, _PIECE))
            left -= len(piece)
            kept = piece if len(kept) + len(piece) > _PIECE else kept + piece
        return kept

    def _read_chunks(self):
        while size := int(self.rfile.readline(), 16):
            while size:
                size -= len(self.rfile.read1(min(size, _PIECE)))
            self.rfile.readline()
        self.rfile.readline()

    def _send_layer(self, image):
        begin, end = 0, image.size
        if part := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            begin, end = int(part[1]), min(int(part[2] or end - 1) + 1, end)
        self.send_response(206 if part else 200)
        if part:
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{image.size}")
        self.send_header("Content-Length", str(end - begin))
        self.end_headers()
        if self.command == "GET":
            for piece in image.layer(begin, end):
                self.wfile.write(piece)

    def _answer(self, status, body=b"", *, type_="application/octet-stream", **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", type_)
        if "digest" in headers:
            self.send_header("Docker-Content-Digest", headers["digest"])
        if "location" in headers:
            self.send_header("Location", headers["location"])
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args):
        """Say nothing."""
