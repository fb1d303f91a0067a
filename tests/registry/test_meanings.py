"""Refusals as Harbor, Quay and others give them: class, sentence, and whether to try again."""

from __future__ import annotations

import json

import httpx
import pytest

from replicator import errors
from replicator.registry.answers import Answer, Attempt, error_of

ATTEMPT = Attempt("registry.test", "registry.test/team/app", "PUT manifests/v1")
URL = httpx.URL("https://registry.test/v2/team/app/manifests/v1")
HTML = b"<html><head><title>429 Too Many Requests</title></head></html>"


def body(code, message, detail=None):
    return json.dumps({"errors": [{"code": code, "message": message, "detail": detail}]}).encode()


REFUSALS = {
    "Harbor: quota": (
        403,
        body(
            "DENIED",
            "adding 2.0 MiB of storage resource, which when updated to current usage of 0 B will "
            "exceed the configured upper limit of 1.0 MiB.",
        ),
        errors.QuotaFull,
        "a quota is full",
        False,
    ),
    "Quay: quota": (
        403,
        body("DENIED", "Quota has been exceeded on namespace"),
        errors.QuotaFull,
        "a quota is full",
        False,
    ),
    "Harbor: read-only": (
        403,
        body("DENIED", "The system is in read only mode. Any modification is prohibited."),
        errors.Denied,
        "read-only mode",
        False,
    ),
    "Quay: read-only": (
        405,
        body("DENIED", "System is currently read-only.", {"is_readonly": True}),
        errors.Denied,
        "read-only mode",
        False,
    ),
    "Harbor: vulnerabilities": (
        412,
        body(
            "PROJECTPOLICYVIOLATION",
            "current image with 3 vulnerabilities cannot be pulled due to configured policy",
        ),
        errors.Denied,
        "a policy blocks it",
        False,
    ),
    "Harbor: proxy project": (
        403,
        body("DENIED", "can not push artifact to a proxy project: cache"),
        errors.Denied,
        "pull-through cache",
        False,
    ),
    "Harbor: project that does not exist": (
        401,
        body("UNAUTHORIZED", "project nope not found: project nope not found"),
        errors.NotFound,
        "project nope not found",
        False,
    ),
    "ACR: firewall": (
        403,
        body(
            "DENIED", "client with IP '192.0.2.7' is not allowed access. Refer https://aka.ms/acr"
        ),
        errors.Denied,
        "firewall",
        False,
    ),
    "ECR: token of yesterday": (
        403,
        body("DENIED", "Your authorization token has expired. Reauthenticate and try again."),
        errors.Unauthorized,
        "the login has ended",
        False,
    ),
    "GHCR: package of another repository": (
        403,
        body("DENIED", "permission_denied: write_package"),
        errors.Denied,
        "the package's settings",
        False,
    ),
    "no right": (403, body("DENIED", "requested access is denied"), errors.Denied, "403", False),
    "Quay: rate, by its proxy": (429, HTML, errors.RateLimited, "a web page", True),
    "ECR: rate": (
        429,
        body("TOOMANYREQUESTS", "Rate exceeded"),
        errors.RateLimited,
        "Rate exceeded",
        True,
    ),
    "zot: as many repositories as it may have": (
        429,
        body("TOOMANYREQUESTS", "too many requests", {"limit": 10}),
        errors.Denied,
        "as many repositories as it may have",
        False,
    ),
    "Harbor: immutable": (
        412,
        body("PRECONDITION", "Failed to process request due to 'app:v1' configured as immutable."),
        errors.Rejected,
        "immutable",
        False,
    ),
    "Quay: immutable": (
        409,
        body("TAG_IMMUTABLE", "tag is immutable"),
        errors.Rejected,
        "immutable",
        False,
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_has_its_class_its_sentence_and_its_patience(name):
    status, content, kind, sentence, retryable = REFUSALS[name]

    error = error_of(Answer(status, httpx.Headers(), content, URL), ATTEMPT)

    assert type(error) is kind
    assert sentence in str(error)
    assert error.retryable is retryable
