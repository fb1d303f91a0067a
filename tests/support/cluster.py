"""A Kubernetes without nodes: a real API server, its controllers, and a stand-in for the kubelet.

Whatever the API refuses, defaults or forbids is real. That containers start is not: the
stand-in says so of every Pod.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.processes import ServerFailed, ServerProcess, free_port
from tests.support.tools import built, installed

_PATIENCE = 60  # seconds
_PAUSE = 0.3  # seconds between two looks of the stand-in
_RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/enforce-version": "latest",
}


class Refused(Exception):
    """A program ended with an error; the text is what it wrote."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running cluster, spoken to as its administrator."""

    kubeconfig: Path

    def kubectl(self, *arguments: str | Path, stdin: str = "") -> str:
        return self._run(built("kubectl"), *arguments, stdin=stdin)

    def helm(self, *arguments: str | Path) -> str:
        return self._run(built("helm"), *arguments)

    def get(self, kinds: str, namespace: str) -> list[Any]:
        found = self.kubectl("get", kinds, "--namespace", namespace, "--output", "json")
        items: list[Any] = json.loads(found)["items"]
        return items

    def make_namespace(self, name: str) -> str:
        """Make a namespace in which only restricted Pods may be."""
        namespace = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": _RESTRICTED},
        }
        self.kubectl("create", "--filename", "-", stdin=json.dumps(namespace))
        return name

    def _run(self, program: Path, *arguments: str | Path, stdin: str = "") -> str:
        done = subprocess.run(
            [program, f"--kubeconfig={self.kubeconfig}", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Refused(done.stdout + done.stderr)
        return done.stdout


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Run a cluster that keeps all it has in *folder*, and ends with its context."""
    etcd, peer, api = (free_port() for _ in range(3))
    here = Cluster(folder / "kubeconfig")
    with ExitStack() as running:

        def start(name: str, path: Path, options: dict[str, Any]) -> ServerProcess:
            flags = [f"--{option}={value}" for option, value in options.items()]
            process = ServerProcess([path, *flags])
            running.callback(process.stop)
            return process

        start("etcd", installed("etcd"), _etcd(folder, etcd, peer))
        _write_credentials(folder, api)
        server = start("api", built("kube-apiserver"), _api_server(folder, etcd, api))
        _wait(server, lambda: here.kubectl("get", "--raw", "/readyz") == "ok")
        controllers = start("controllers", built("kube-controller-manager"), _controllers(folder))
        _wait(controllers, lambda: bool(here.kubectl("get", "serviceaccount", "default")))
        running.enter_context(_standing_in_for_the_kubelet(here))
        yield here


def _etcd(folder: Path, port: int, peer: int) -> dict[str, Any]:
    url, peers = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
    return {
        "data-dir": folder / "etcd",
        "unsafe-no-fsync": "true",
        "listen-client-urls": url,
        "advertise-client-urls": url,
        "listen-peer-urls": peers,
        "initial-advertise-peer-urls": peers,
        "initial-cluster": f"default={peers}",
    }


def _api_server(folder: Path, etcd: int, port: int) -> dict[str, Any]:
    return {
        "etcd-servers": f"http://127.0.0.1:{etcd}",
        "bind-address": "127.0.0.1",
        "secure-port": port,
        "cert-dir": folder / "certs",
        "token-auth-file": folder / "tokens.csv",
        "authorization-mode": "RBAC",
        "service-cluster-ip-range": "10.96.0.0/24",
        # Its own address is loopback, which an endpoint must not be.
        "endpoint-reconciler-type": "none",
        "service-account-issuer": f"https://127.0.0.1:{port}",
        "service-account-key-file": folder / "accounts.key",
        "service-account-signing-key-file": folder / "accounts.key",
    }


def _controllers(folder: Path) -> dict[str, Any]:
    return {
        "kubeconfig": folder / "kubeconfig",
        "leader-elect": "false",
        "secure-port": 0,
        "service-account-private-key-file": folder / "accounts.key",
        "root-ca-file": folder / "certs" / "apiserver.crt",
        "pvclaimbinder-sync-period": "1s",
    }


def _write_credentials(folder: Path, port: int) -> None:
    token = secrets.token_hex(16)
    key = folder / "accounts.key"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    (folder / "tokens.csv").write_text(f"{token},admin,1,system:masters\n")
    server = {
        "server": f"https://127.0.0.1:{port}",
        # The server makes it when it starts; it signs itself.
        "certificate-authority": str(folder / "certs" / "apiserver.crt"),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": server}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "admin"}}],
        "current-context": "here",
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))


def _wait(process: ServerProcess, ready: Any) -> None:
    pause = threading.Event()
    for _ in range(_PATIENCE * 5):
        try:
            if ready():
                return
        except Refused:
            pass
        if process.ended:
            break
        pause.wait(0.2)
    raise ServerFailed(f"it is not ready; its last lines are:\n{process.tail()}")


@contextmanager
def _standing_in_for_the_kubelet(here: Cluster) -> Iterator[None]:
    """Let Pods that have to run be ready, others succeed, and give each claim a volume."""
    stop = threading.Event()

    def stand_in() -> None:
        while not stop.wait(_PAUSE):
            for pending in json.loads(here.kubectl("get", "pods,pvc", "-A", "-o", "json"))["items"]:
                if pending["status"].get("phase") == "Pending":
                    _go_on(here, pending)

    thread = threading.Thread(target=stand_in)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _go_on(here: Cluster, pending: Any) -> None:
    name, namespace = pending["metadata"]["name"], pending["metadata"]["namespace"]
    if pending["kind"] == "PersistentVolumeClaim":
        volume = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"{namespace}-{name}"},
            "spec": {
                "capacity": {"storage": "10Gi"},
                "accessModes": ["ReadWriteOnce"],
                "hostPath": {"path": "/nonexistent"},
                "claimRef": {"namespace": namespace, "name": name},
            },
        }
        here.kubectl("apply", "--filename", "-", stdin=json.dumps(volume))
        return
    owners = [owner["kind"] for owner in pending["metadata"].get("ownerReferences", [])]
    ready = [{"type": kind, "status": "True"} for kind in ("Ready", "ContainersReady")]
    status = (
        {"phase": "Running", "conditions": ready}
        if owners == ["ReplicaSet"]
        else {"phase": "Succeeded"}
    )
    try:
        here.kubectl(
            *("patch", "pod", name, "--namespace", namespace, "--subresource=status"),
            *("--patch", json.dumps({"status": status})),
        )
    except Refused:
        # It has gone since it was listed.
        return
