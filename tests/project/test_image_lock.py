"""requirements-image.lock is a part of requirements.lock: the image has what is tested."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).parents[2]
_ENTRY = re.compile(r"^([\w.-]+==\S+)(?:.*\\\n)((?: +--hash=.*\n)+)", re.MULTILINE)


def entries(name):
    text = (PROJECT / name).read_text()
    return {what: set(re.findall(r"sha256:\w+", hashes)) for what, hashes in _ENTRY.findall(text)}


def test_the_image_has_what_is_tested():
    image, all_of_it = entries("requirements-image.lock"), entries("requirements.lock")

    assert len(image) > 50
    assert {what for what in image if image[what] != all_of_it.get(what)} == set()
