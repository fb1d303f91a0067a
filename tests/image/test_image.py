"""The image: what is in it, and that it works where it may do next to nothing.

`make test-image` builds it first.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from replicator import __version__
from tests.support.container import IMAGE, Image
from tests.support.processes import free_port
from tests.support.tools import installed

pytestmark = pytest.mark.image
PYTHON = "/opt/replicator/bin/python"


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    return Image.unpack(tmp_path_factory.mktemp("image"))


def test_it_says_what_it_is_and_how_it_is_run():
    done = subprocess.run(
        [installed("skopeo"), "inspect", "--config", f"oci:{IMAGE}:replicator"],
        check=True,
        capture_output=True,
    )
    config = json.loads(done.stdout)["config"]

    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["replicate"]
    assert config["Cmd"] == ["serve"]
    assert config["WorkingDir"] == "/data"
    assert list(config["ExposedPorts"]) == ["8080/tcp"]
    labels = config["Labels"]
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert len(labels["org.opencontainers.image.revision"]) == 40


def test_the_demo_runs_in_it(image):
    done = image.run("replicate", "demo")

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_it_runs_as_any_user(image):
    done = image.run("replicate", "demo", user=1000650000)

    assert done.returncode == 0, done.stderr


def test_the_process_may_do_nothing_special_and_write_nowhere_else(image):
    done = image.run(
        *(PYTHON, "-c"),
        """
import os
from pathlib import Path
print(os.getuid(), next(l for l in open("/proc/self/status") if l.startswith("CapEff")).split()[1])
Path("/data/here").write_text("x")
try:
    Path("/opt/replicator/here").write_text("x")
except OSError as refused:
    print(refused.strerror)
""",
    )

    assert done.stdout.splitlines() == ["10001 0000000000000000", "Read-only file system"], done


def test_every_module_is_compiled_whatever_the_times_of_files_are(image):
    packages = image.root / "opt/replicator/lib/python3.11/site-packages"
    sources = list(packages.rglob("*.py"))
    compiled = {
        file: file.parent / "__pycache__" / f"{file.stem}.cpython-311.pyc" for file in sources
    }

    missing = [file for file, beside in compiled.items() if not beside.exists()]
    # The flags after the magic number: 1 is "by the source's hash, which is not checked".
    timed = [each for each in compiled.values() if each.exists() and each.read_bytes()[4] != 1]

    assert len(sources) > 1000
    # Template files that only look like modules.
    assert [file for file in missing if "replicator" in file.parts[-3:]] == []
    assert len(missing) < 10, missing
    assert timed == []


def test_nothing_is_in_it_that_installs_or_tests(image):
    packages = image.root / "opt/replicator/lib/python3.11/site-packages"
    there = {folder.name for folder in packages.iterdir()}

    assert {"replicator", "botocore", "azure", "joserfc", "opentelemetry"} <= there
    assert not {"pip", "setuptools", "pytest", "mypy", "hypothesis", "playwright"} & there


def test_the_systems_authorities_are_found_besides_one_of_your_own(image):
    """SSL_CERT_FILE stands in for one of the two places where OpenSSL looks, not for both."""
    done = image.run(
        *(PYTHON, "-c"),
        "import os, ssl; print(len(os.listdir(ssl.get_default_verify_paths().openssl_capath)))",
    )

    assert ssl.get_default_verify_paths().openssl_cafile_env == "SSL_CERT_FILE"
    assert int(done.stdout) > 100, done


def test_the_service_as_process_1_answers_and_stops_when_told(image):
    port = free_port()
    service, container = image.start("replicate", "serve", "--listen", f"127.0.0.1:{port}")
    try:
        service.wait_for_line('"serving"')
        wait_until_ready(f"http://127.0.0.1:{port}/readyz")

        container.signal("TERM")

        assert service.wait() == 0
    finally:
        service.stop()
        container.remove()


def wait_until_ready(url):
    """Ask as a probe does; between "serving" and the first look at the database it is not ready."""
    pause = threading.Event()
    for _ in range(100):
        try:
            with urlopen(url) as answered:  # noqa: S310 - our own server
                assert answered.status == 200
                return
        except HTTPError as refused:
            refused.close()
            pause.wait(0.1)
    raise AssertionError("it does not get ready")
