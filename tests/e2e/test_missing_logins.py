"""A service says at its start which logins it will not have."""

from __future__ import annotations

import base64

from tests.e2e.test_serve import serving
from tests.support.command import CommandLine

KEY = base64.b64encode(bytes(range(32))).decode()
CONFIG = """
[registries."a.example.com"]
credential = { username = "me", password_env = "NOT_SET_ANYWHERE" }

[registries."b.example.com"]
credential = { username = "me", password_file = "no-such-file" }

[registries."c.example.com"]
credential = { username = "me", password = "there" }

[registries."d.example.com/team"]
credential = { stored = "robot" }
"""


async def test_a_service_says_at_its_start_which_logins_it_cannot_use(tmp_path):
    replicate = CommandLine(tmp_path, {"REPLICATOR_SECRET_KEY": KEY})
    replicate.write_config(CONFIG)

    async with serving(replicate) as log:
        pass

    said = [line["error"] for line in log.lines if line["event"] == "login cannot be used"]
    assert said == [
        "a.example.com: the environment variable NOT_SET_ANYWHERE is not set",
        "b.example.com: password_file no-such-file cannot be read: No such file or directory",
        "d.example.com/team: there is no credential 'robot'; "
        "`replicate credential set robot --host HOST` makes it",
    ]
