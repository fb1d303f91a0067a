"""Synthetic images, the same every time, pushed to a registry."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import random
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

OCI_M = "application/vnd.oci.image.manifest.v1+json"
OCI_I = "application/vnd.oci.image.index.v1+json"
OCI_C = "application/vnd.oci.image.config.v1+json"
OCI_L = "application/vnd.oci.image.layer.v1.tar+gzip"
PLATFORMS = [("linux", each) for each in ("amd64", "arm64", "arm", "s390x", "ppc64le")]


def blob(seed, size, step=64 << 20):
    """Return *size* bytes that follow from *seed*; one call of randbytes yields 256 MiB at most."""
    chance = random.Random(str(seed))
    return b"".join(chance.randbytes(min(step, size - at)) for at in range(0, size, step))


def _connection(hostport):
    if (authority := AUTHORITIES.get(hostport)) is None:
        return http.client.HTTPConnection(hostport, timeout=120)
    context = ssl.create_default_context(cafile=authority)
    return http.client.HTTPSConnection(hostport, timeout=120, context=context)


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


# Hosts that speak TLS, and the authority that signs their certificates.
AUTHORITIES = {}


class Registry:
    """A client that pushes, and looks at what was pushed."""

    def __init__(self, hostport, headers=None):
        self.host = hostport
        self.c = _connection(hostport)
        self.headers = headers or {}

    def req(self, method, path, body=None, headers=None):
        h = dict(self.headers, **(headers or {}))
        for attempt in (0, 1):
            try:
                self.c.request(method, path, body=body, headers=h)
                r = self.c.getresponse()
                data = r.read()
                return r.status, {k.lower(): v for k, v in r.getheaders()}, data
            except (http.client.HTTPException, OSError):
                self.c.close()
                if attempt:
                    raise
        raise AssertionError

    def put_blob(self, repo, data):
        d = digest(data)
        s, h, _ = self.req("HEAD", f"/v2/{repo}/blobs/{d}")
        if s == 200:
            return d
        s, h, b = self.req("POST", f"/v2/{repo}/blobs/uploads/", headers={"Content-Length": "0"})
        assert s == 202, (s, b)
        u = urlsplit(h["location"])
        q = (u.query + "&" if u.query else "") + "digest=" + d
        s, h, b = self.req(
            "PUT",
            f"{u.path}?{q}",
            body=data,
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(len(data))},
        )
        assert s == 201, (s, b)
        return d

    def put_manifest(self, repo, ref, doc, mt):
        data = json.dumps(doc, separators=(",", ":")).encode()
        s, _, b = self.req(
            "PUT", f"/v2/{repo}/manifests/{ref}", body=data, headers={"Content-Type": mt}
        )
        assert s == 201, (s, b)
        return digest(data), len(data)

    def tags(self, repo):
        out, path = [], f"/v2/{repo}/tags/list?n=1000"
        while path:
            s, h, b = self.req("GET", path)
            if s == 404:
                return []
            out += json.loads(b).get("tags") or []
            link = h.get("link")
            path = link[link.index("<") + 1 : link.index(">")] if link else None
            if path and path.startswith("http"):
                u = urlsplit(path)
                path = f"{u.path}?{u.query}"
        return out


def image(
    reg, repo, ref, layers, seed, annotations=None, subject=None, platform=("linux", "amd64")
):
    """Push an image and return its manifest's descriptor.

    *layers* are pairs of a seed and the size before gzip, which only adds a frame.
    """
    descs, diff_ids = [], []
    for s, n in layers:
        data = blob(s, n)
        diff_ids.append(digest(data))
        # Some tools look at the first bytes and compress what is not gzip.
        data = gzip.compress(data, 0, mtime=0)
        descs.append({"mediaType": OCI_L, "digest": reg.put_blob(repo, data), "size": len(data)})
    cfg = json.dumps(
        {
            "os": platform[0],
            "architecture": platform[1],
            "created": "2026-01-01T00:00:00Z",
            "config": {"Labels": {"seed": str(seed)}},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }
    ).encode()
    doc = {
        "schemaVersion": 2,
        "mediaType": OCI_M,
        "config": {"mediaType": OCI_C, "digest": reg.put_blob(repo, cfg), "size": len(cfg)},
        "layers": descs,
    }
    if annotations:
        doc["annotations"] = annotations
    if subject:
        doc["subject"] = subject
    data = json.dumps(doc, separators=(",", ":")).encode()
    d, n = reg.put_manifest(repo, ref or digest(data), doc, OCI_M)
    return {
        "mediaType": OCI_M,
        "digest": d,
        "size": n,
        "platform": {"os": platform[0], "architecture": platform[1]},
    }


def index(reg, repo, ref, per_platform_layers, seed):
    children = [
        image(reg, repo, None, per_platform_layers(p), f"{seed}-{p}", platform=p) for p in PLATFORMS
    ]
    doc = {"schemaVersion": 2, "mediaType": OCI_I, "manifests": children}
    return reg.put_manifest(repo, ref, doc, OCI_I)


def many(hostport, jobs, workers=8):
    """Call each of *jobs* with a client, several at once."""
    local = threading.local()

    def run(job):
        if not hasattr(local, "r"):
            local.r = Registry(hostport)
        return job(local.r)

    with ThreadPoolExecutor(workers) as ex:
        return list(ex.map(run, jobs))
