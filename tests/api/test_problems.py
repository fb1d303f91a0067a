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


async def test_a_body_that_is_no_json_is_said_where_it_is_not(api):
    body = b'{"rule": "a",, "tags": []}'

    answer = await api.post("/runs", content=body, headers={"Content-Type": "application/json"})

    said = re.fullmatch(r"the body is no JSON: (.+), at character (\d+)", answer.json()["detail"])
    assert said is not None
    assert int(said[2]) == body.index(b",,") + 2


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/registries/a.io", {"max_concurrency": "16"}, "max_concurrency"),
        ("/registries/a.io", {"timeouts": {"idel": "5s"}}, "timeouts.idel"),
        ("/registries/a.io", {"mirrors": ["https://b.io", "c.io"]}, "mirrors[2]"),
        ("/registries/a.io", {"credential": {"stored": "none"}}, "credential.stored"),
    ],
)
async def test_a_mistake_in_a_registry_names_its_field(api, path, body, field):
    answer = await api.put(path, json=body)

    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_a_token_that_lasts_for_no_duration_names_its_field(api):
    answer = await api.post("/tokens", json={"name": "a", "role": "viewer", "expires_in": "1y"})

    assert (answer.status_code, answer.json()["field"]) == (422, "expires_in")
    assert "a duration, such as 30m, 12h or 7d" in answer.json()["detail"]


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
