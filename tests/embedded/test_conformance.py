"""The conformance suite of the distribution specification, whole.

The version "dev" has all tests of the released one and some more.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from replicator.embedded.guard import BasicAuth
from replicator.embedded.passwords import PlainPasswords
from replicator.embedded.server import EmbeddedRegistry
from replicator.embedded.storage import Storage
from replicator.embedded.thread import in_thread
from replicator.embedded.token_auth import TokenAuth
from tests.support.tools import built

_LOGIN = {"OCI_USERNAME": "alice", "OCI_PASSWORD": "wonderland"}
_PASSWORDS = PlainPasswords({"alice": "wonderland"})


@pytest.mark.parametrize("version", ["1.1", "dev"])
def test_the_conformance_suite_passes_whole(storage: Storage, version: str, tmp_path: Path):
    with in_thread(EmbeddedRegistry(storage)) as registry:
        report = run_conformance(registry, tmp_path, {"OCI_VERSION": version})

    assert counts(report) == {"Skip": 0, "FAIL": 0, "Error": 0}, report


@pytest.mark.parametrize("auth", [BasicAuth(_PASSWORDS), TokenAuth(_PASSWORDS)])
def test_the_conformance_suite_passes_with_a_login(auth, tmp_path: Path):
    with in_thread(EmbeddedRegistry(auth=auth)) as registry:
        report = run_conformance(registry, tmp_path, _LOGIN)

    assert counts(report) == {"Skip": 0, "FAIL": 0, "Error": 0}, report


def run_conformance(registry: EmbeddedRegistry, folder: Path, options: Mapping[str, str]) -> str:
    """Run the suite; fails with its report unless it passes."""
    settings = {
        "OCI_REGISTRY": registry.host,
        "OCI_TLS": "disabled",
        "OCI_RESULTS_DIR": str(folder / "results"),
    }
    done = subprocess.run(
        [built("conformance")],
        env={**os.environ, **settings, **options},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def counts(report: str) -> dict[str, int]:
    """Read how many tests did anything but pass, from the report's first table."""
    totals = {}
    for line in report.splitlines():
        name, dots, number = line.strip().partition(".")
        if dots and name in ("Skip", "FAIL", "Error") and name not in totals:
            totals[name] = int(number.rpartition(" ")[2])
    return totals
