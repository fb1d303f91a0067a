"""Problems: the codes that programs go by, and what is answered to a body that is none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import replicator.api
from replicator import errors
from replicator.api.v1.problems import _CODES, _STATUS

API = Path(replicator.api.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.mark.parametrize(
    "body", [b"{", b'{"rule": "\xff"}', b"[" * 100_000], ids=["broken", "latin", "deep"]
)
async def test_a_body_that_is_no_json_is_named_as_such(api, body):
    answer = await api.post("/runs", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_json")
    assert answer.json()["field"] == "body"


def test_the_page_of_the_api_names_every_code():
    table = PAGE.read_text().split("| status | codes |")[1].split("\n\n")[0]

    assert codes() - set(re.findall(r"`(\w+)`", table)) == set()


def codes():
    """Those of our errors, those of HTTP, and those that routes write themselves.

    What a registry did not do has the code of its class, which docs/errors.md lists.
    """
    of_errors = {kind.kind for kind, _, _ in _STATUS if not issubclass(kind, errors.RegistryError)}
    literal = re.compile(r'problem\(\s*\d+,\s*"(\w+)"')
    written = {code for file in API.rglob("*.py") for code in literal.findall(file.read_text())}
    return of_errors | set(_CODES.values()) | written
