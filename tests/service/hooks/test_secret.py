"""Whether a notice is from who it says."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from replicator.service.hooks.secret import is_authentic

SECRET, OTHER = "correct horse battery", "a secret of last year"
BODY = b'{"action": "push"}'


def signed(algorithm: str, secret: str = SECRET, body: bytes = BODY) -> str:
    return hmac.new(secret.encode(), body, getattr(hashlib, algorithm)).hexdigest()


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"hook:{password}".encode()).decode()


SHOWN = {
    "github": {"x-hub-signature-256": f"sha256={signed('sha256')}"},
    "gitea": {"x-gitea-signature": signed("sha256")},
    "nexus": {"x-nexus-webhook-signature": signed("sha1")},
    "gitlab": {"x-gitlab-token": SECRET},
    "harbor": {"authorization": SECRET},
    "bearer": {"authorization": f"Bearer {SECRET}"},
    "basic": {"authorization": basic(SECRET)},
}


@pytest.mark.parametrize("kind", SHOWN)
def test_each_kind_shows_its_secret_in_its_own_way(kind):
    assert is_authentic(SHOWN[kind], BODY, [OTHER, SECRET])
    assert not is_authentic(SHOWN[kind], BODY, [OTHER])
    assert not is_authentic(SHOWN[kind], BODY, [])


def test_a_secret_may_be_in_the_path_where_a_registry_can_show_it_nowhere_else():
    assert is_authentic({}, BODY, [SECRET], in_path=SECRET)
    assert not is_authentic({}, BODY, [SECRET], in_path=OTHER)


def test_nothing_shown_is_nothing_proven():
    assert not is_authentic({}, BODY, [SECRET])
    assert not is_authentic({"authorization": ""}, BODY, [""])


@pytest.mark.parametrize("kind", ["github", "gitea", "nexus"])
def test_a_signature_is_of_this_body(kind):
    assert not is_authentic(SHOWN[kind], BODY + b" ", [SECRET])


def test_a_wrong_signature_counts_whatever_else_is_right():
    headers = {"x-hub-signature-256": f"sha256={signed('sha256', OTHER)}"}

    assert not is_authentic(headers, BODY, [SECRET], in_path=SECRET)


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic //8=", "Bearer", " ", "é"])
def test_a_header_that_makes_no_sense_shows_nothing(header):
    assert not is_authentic({"authorization": header}, BODY, [SECRET])
