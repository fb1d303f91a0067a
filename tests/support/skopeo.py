"""Debian's skopeo as the witness: it reads what was copied, by rules that nobody here wrote."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

from tests.support import tools
from tests.support.address import Address
from tests.support.contents import named_by
from tests.support.folders import data_folder
from tests.support.plain_repository import digest_of


class Refused(Exception):
    """Skopeo could not read a reference; the text is its own."""


def inspect_raw(address: Address, path: str, reference: str) -> bytes:
    """Read the exact bytes of a manifest or index, by tag or digest."""
    return _run(address, "inspect", "--raw", *_access(address), _name(address, path, reference))


def read_back(address: Address, path: str, reference: str) -> frozenset[str]:
    """Pull a tag with all it names, image by image; gives every digest that was read."""
    manifest = inspect_raw(address, path, reference)
    children, blobs = named_by(manifest)
    read = {digest_of(manifest)}
    for child in children:
        read |= read_back(address, path, child)
    if blobs:
        with data_folder() as folder:
            copy_out(address, path, digest_of(manifest), folder)
            read |= {_digest_of_file(folder / blob.partition(":")[2]) for blob in blobs}
    return frozenset(read)


def copy_out(address: Address, path: str, reference: str, folder: Path) -> None:
    """Pull one image or artifact, not an index, into *folder*; every digest is checked."""
    access = [option.replace("--", "--src-", 1) for option in _access(address)]
    name = _name(address, path, reference)
    _run(address, "copy", "--quiet", "--preserve-digests", *access, name, f"dir:{folder}")


def _access(address: Address) -> list[str]:
    verify = "--tls-verify=" + ("true" if address.ca_file else "false")
    if address.credentials is None:
        return [verify, "--no-creds"]
    return [verify, f"--creds={':'.join(address.credentials)}"]


def _name(address: Address, path: str, reference: str) -> str:
    separator = "@" if ":" in reference else ":"
    return f"docker://{address.host}/{path}{separator}{reference}"


def _digest_of_file(file: Path) -> str:
    with file.open("rb") as content:
        return f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"


def _run(address: Address, *arguments: str) -> bytes:
    trust = {"SSL_CERT_FILE": str(address.ca_file)} if address.ca_file else {}
    done = subprocess.run(
        [tools.installed("skopeo"), "--insecure-policy", *arguments],
        capture_output=True,
        check=False,
        env=os.environ | trust,
    )
    if done.returncode != 0:
        raise Refused(done.stderr.decode(errors="replace"))
    return done.stdout
