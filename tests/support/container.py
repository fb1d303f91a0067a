"""The image as a cluster runs it: no root, no capabilities, a root that is read-only."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.processes import ServerProcess
from tests.support.tools import installed

IMAGE = Path(__file__).parents[2] / "dist" / "image"
USER = 10001
_PATIENCE = 120  # seconds
_numbers = count()


@dataclass(frozen=True, slots=True)
class Image:
    """The image, unpacked in a folder."""

    bundle: Path

    @classmethod
    def unpack(cls, folder: Path) -> Image:
        bundle = folder / "bundle"
        image = f"{IMAGE}:replicator"
        umoci = [installed("umoci"), "unpack", "--image", image, bundle]
        subprocess.run(umoci, check=True, capture_output=True)
        return cls(bundle)

    @property
    def root(self) -> Path:
        return self.bundle / "rootfs"

    def run(self, *command: str, user: int = USER) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, without any network but its own loopback."""
        return subprocess.run(
            [*_runc("run", self._prepare(command, user))],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )

    def start(
        self, *command: str, variables: Mapping[str, str] = {}
    ) -> tuple[ServerProcess, Container]:
        """Start a command, on this machine's network."""
        bundle = self._prepare(command, USER, variables, network=True)
        return ServerProcess(_runc("run", bundle)), Container(bundle.name)

    def _prepare(
        self,
        command: Sequence[str],
        user: int,
        variables: Mapping[str, str] = {},
        *,
        network: bool = False,
    ) -> Path:
        """Make a bundle of its own that shares the root, and return its folder."""
        config: Any = json.loads((self.bundle / "config.json").read_text())
        process = config["process"]
        process.update(terminal=False, noNewPrivileges=True, args=list(command))
        process["user"] = {"uid": user, "gid": USER if user == USER else 0}
        process["capabilities"] = {kind: [] for kind in process.get("capabilities", {})}
        process["env"] += [f"{name}={value}" for name, value in variables.items()]
        config["root"] = {"path": str(self.root), "readonly": True}
        config["mounts"] += [
            _writable("/data", process["user"]),
            _writable("/tmp", process["user"]),
        ]
        if network:
            spaces = config["linux"]["namespaces"]
            config["linux"]["namespaces"] = [each for each in spaces if each["type"] != "network"]
        bundle = self.bundle.parent / f"replicator-test-{os.getpid()}-{next(_numbers)}"
        bundle.mkdir()
        (bundle / "config.json").write_text(json.dumps(config))
        return bundle


@dataclass(frozen=True, slots=True)
class Container:
    """One that runs."""

    id: str

    def signal(self, name: str) -> None:
        subprocess.run([installed("runc"), "kill", self.id, name], check=True)

    def remove(self) -> None:
        command = [installed("runc"), "delete", "--force", self.id]
        subprocess.run(command, check=True, capture_output=True)


def _runc(command: str, bundle: Path) -> list[str | Path]:
    return [installed("runc"), command, "--bundle", bundle, bundle.name]


def _writable(path: str, user: Mapping[str, int]) -> dict[str, Any]:
    owner = [f"uid={user['uid']}", f"gid={user['gid']}"]
    options = ["nosuid", "nodev", "mode=0700", *owner]
    return {"destination": path, "type": "tmpfs", "source": "tmpfs", "options": options}
