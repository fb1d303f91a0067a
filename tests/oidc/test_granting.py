"""What people may do, by what is said of them; and what sign-ins are made of."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import AccessDenied
from replicator.oidc.attempt import Attempt
from replicator.oidc.granting import identity_of, values_of
from replicator.oidc.origins import origin_of
from replicator.oidc.settings import Grant, OidcSettings
from replicator.service.access.identity import Role

ACME = OidcSettings(
    "https://login.example.com",
    "replicate",
    "https://replicate.example.com",
    grants=(
        Grant("platform", Role.ADMIN),
        Grant("team-a", Role.OPERATOR, ("a-*",)),
        Grant("team-b", Role.OPERATOR, ("b-*", "a-*")),
        Grant("reader", Role.VIEWER),
    ),
)


@pytest.mark.parametrize(
    ("groups", "role", "rules"),
    [
        (["platform"], Role.ADMIN, None),
        ("platform", Role.ADMIN, None),
        (["team-a", "platform"], Role.ADMIN, None),
        (["team-a"], Role.OPERATOR, ("a-*",)),
        (["team-b", "team-a"], Role.OPERATOR, ("a-*", "b-*")),
        # The role of one grant is not combined with the rules of another.
        (["reader", "team-a"], Role.OPERATOR, ("a-*",)),
        (["reader", 7, None, "other"], Role.VIEWER, None),
    ],
)
def test_the_highest_role_counts_for_the_rules_that_it_is_for(groups, role, rules):
    found = identity_of({"sub": "1", "groups": groups}, ACME)

    assert (found.role, found.patterns) == (role, rules)


@pytest.mark.parametrize(
    "groups", [[], ["Platform"], "plat", None, {"platform": 1}, [["platform"]]]
)
def test_nothing_is_granted_to_others(groups):
    with pytest.raises(AccessDenied, match="nothing is granted"):
        identity_of({"sub": "1", "groups": groups}, ACME)


def test_everybody_else_has_the_default_role():
    found = identity_of({"sub": "1"}, replace(ACME, default_role=Role.VIEWER))

    assert (found.role, found.patterns) == (Role.VIEWER, None)


def test_an_address_counts_when_it_is_verified():
    by_mail = replace(ACME, claim="email", grants=(Grant("a@example.com", Role.ADMIN),))
    claims = {"sub": "1", "email": "a@example.com"}

    assert identity_of({**claims, "email_verified": True}, by_mail).role is Role.ADMIN
    for unverified in (False, "true", None, 1):
        with pytest.raises(AccessDenied):
            identity_of({**claims, "email_verified": unverified}, by_mail)


def test_a_claim_may_lie_within_others_or_have_a_dot_in_its_name():
    claims = {"realm_access": {"roles": ["x"]}, "https://example.com/roles": ["y"], "a": "b"}

    assert values_of(claims, "realm_access.roles") == {"x"}
    assert values_of(claims, "https://example.com/roles") == {"y"}
    assert values_of(claims, "a.b") == frozenset()


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"preferred_username": "ada"}, "oidc:ada"),
        ({"email": "a@example.com", "email_verified": True}, "oidc:a@example.com"),
        ({"email": "a@example.com"}, "oidc:1"),
        ({"preferred_username": "a\nb"}, "oidc:1"),
        ({"preferred_username": " "}, "oidc:1"),
        ({"preferred_username": "x" * 201}, "oidc:1"),
    ],
)
def test_people_are_called_what_can_be_read(claims, name):
    assert identity_of({"sub": "1", "groups": "reader", **claims}, ACME).subject == name


def test_what_the_provider_calls_people_is_written_in_ascii():
    assert identity_of({"sub": "é\n", "groups": "reader"}, ACME).subject == "oidc:\\xe9\\n"


@given(st.text())
def test_every_attempt_but_our_own_form_is_refused(text):
    assert Attempt(text).is_one is (
        len(text) == 43 and text.isascii() and all(each.isalnum() or each in "-_" for each in text)
    )


def test_what_is_seen_of_an_attempt_does_not_tell_the_rest():
    attempt, other = Attempt.new(), Attempt.new()
    parts = [attempt.secret, attempt.state, attempt.nonce, attempt.verifier, attempt.challenge]

    assert attempt.is_one
    assert len({*parts, other.state, other.nonce, other.verifier}) == 8
    # RFC 7636: 43 to 128 of these characters.
    assert all(len(each) == 43 and "=" not in each for each in parts)
    assert Attempt(attempt.secret) == attempt


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://A.example/x?y#z", "https://a.example"),
        ("https://a.example:443", "https://a.example"),
        ("http://a.example:8080/", "http://a.example:8080"),
        ("http://[::1]:5556/dex", "http://[::1]:5556"),
        ("https://a@b.example", ""),
        ("https://a.example:99999", ""),
        ("https://a.example\\@b.example", ""),
        ("https://", ""),
        ("ftp://a.example", ""),
        ("//a.example", ""),
        ("https://a.example\n", ""),
        ("https://[", ""),
    ],
)
def test_the_origin_of_an_address_is_what_all_parsers_agree_on(url, origin):
    assert origin_of(url) == origin
