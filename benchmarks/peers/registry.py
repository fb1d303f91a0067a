"""Real registries on this machine, and what they were asked."""

from __future__ import annotations

import atexit
import collections
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.peers.delay import DelayProxy
from benchmarks.peers.images import AUTHORITIES

CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: false}}}}
storage:
  filesystem: {{rootdirectory: {data}}}
  delete: {{enabled: true}}
  maintenance: {{uploadpurging: {{enabled: false}}}}
http: {{addr: "{host}", secret: x{tls}}}
{extra}"""

# The access log has every request; the application log leaves out unknown routes, such as that of
# referrers.
LINE = re.compile(rb'\] "(\w+) (\S+) HTTP/[\d.]+" (\d+) (\d+) ')
TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# In the order in which they are looked for.
KINDS = {
    "/manifests/": "manifest",
    "/tags/list": "tags",
    "/blobs/uploads": "upload",
    "/blobs/": "blob",
    "/referrers/": "referrers",
    "/_catalog": "catalog",
}


def kind_of(method, uri, status):
    if method == "POST" and "mount=" in uri:
        return "mount-hit" if status == 201 else "mount-miss"
    for part, kind in KINDS.items():
        if part in uri:
            return kind
    return "ping" if re.fullmatch(r"/v2/?(\?.*)?", uri) else "other"


def process_cpu(pid):
    """User and system seconds that a live process has used."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Certificates:
    """A certificate for this machine, and the authority that signed it."""

    def __init__(self, parent):
        # Only what speaks TLS needs it.
        from tests.support.certificates import Authority

        folder = Path(tempfile.mkdtemp(prefix="tls-", dir=parent))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        authority = Authority(folder)
        self.authority, self.server = authority.certificate, authority.issue(folder, "server")


def _tls(certificates):
    if certificates is None:
        return ""
    server = certificates.server
    return f", tls: {{certificate: {server.certificate}, key: {server.key}}}"


class DockerRegistry:
    """distribution (2.8 from Debian's docker-registry, or any `registry serve CONFIG` binary)."""

    def __init__(
        self, name="r", binary=None, root=None, port=None, extra="", parent=None, tls=None
    ):
        self.binary = binary or shutil.which("docker-registry") or shutil.which("registry")
        self.dir = root or tempfile.mkdtemp(prefix=f"reg-{name}-", dir=parent)
        self.port = port or free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.data = os.path.join(self.dir, "data")
        self.cfg = os.path.join(self.dir, "config.yml")
        self.log = os.path.join(self.dir, "log")
        with open(self.cfg, "w") as f:
            f.write(CONFIG.format(data=self.data, host=self.host, extra=extra, tls=_tls(tls)))
        if tls:
            AUTHORITIES[self.host] = tls.authority
        self.p = None
        atexit.register(self.stop)
        self.start()

    def command(self):
        return [self.binary, "serve", self.cfg]

    def start(self):
        if self.p:
            return
        with open(self.log, "ab") as log:
            self.p = subprocess.Popen(
                self.command(),
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(os.environ, OTEL_TRACES_EXPORTER="none"),
            )
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(Path(self.log).read_text()[-2000:])

    def stop(self, wipe=False):
        if self.p:
            self.p.terminate()
            self.p.wait()
            self.p = None
        if wipe:
            atexit.unregister(self.stop)
            shutil.rmtree(self.dir, ignore_errors=True)

    def wipe(self):
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)
        Path(self.log).write_text("")
        self.start()

    def fill_from(self, other):
        """Become a byte for byte copy of another registry of the same kind."""
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.copytree(other.data, self.data)
        self.start()

    def mark(self):
        return os.path.getsize(self.log)

    def counts(self, since=0):
        """Count requests since a mark, by kind and failed ones included, and bytes served."""
        c, blob_bytes, manifest_bytes = collections.Counter(), 0, 0
        with open(self.log, "rb") as f:
            f.seek(since)
            for m in filter(None, map(LINE.search, f)):
                method, uri, status, size = m[1].decode(), m[2].decode(), int(m[3]), int(m[4])
                kind = kind_of(method, uri, status)
                c[f"{method} {kind}"] += 1
                if method == "GET" and kind == "blob":
                    blob_bytes += size
                elif method == "GET" and kind == "manifest":
                    manifest_bytes += size
        c["total"] = sum(c.values())
        c["blob bytes out"], c["manifest bytes out"] = blob_bytes, manifest_bytes
        return dict(c)

    def cpu(self):
        return process_cpu(self.p.pid)

    def written(self):
        """Return the bytes written so far: what was uploaded, and a little for links."""
        with open(f"/proc/{self.p.pid}/io") as f:
            return int(re.search(r"wchar: (\d+)", f.read())[1])


class Olareg(DockerRegistry):
    """A small registry with the referrers API, which distribution lacks.

    Its requests are noted by a proxy in front of it.
    """

    def __init__(self, name="r", binary=None, parent=None):
        super().__init__(
            name, binary or os.environ.get("OLAREG") or shutil.which("olareg"), parent=parent
        )
        self.proxy = DelayProxy(self.host, note=True)
        self.host = self.proxy.host

    def command(self):
        os.makedirs(self.data, exist_ok=True)
        return [
            self.binary,
            "serve",
            "--addr",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--dir",
            self.data,
            "--gc-frequency",
            "-1s",
        ]

    def mark(self):
        return len(self.proxy.requests), self.proxy.bytes["down"]

    def counts(self, since=(0, 0)):
        c = collections.Counter(
            f"{m} {'mount' if 'mount=' in u else kind_of(m, u, 0)}"
            for m, u in self.proxy.requests[since[0] :]
        )
        served = self.proxy.bytes["down"] - since[1]
        return {**c, "total": sum(c.values()), "blob bytes out": served, "manifest bytes out": 0}
