"""Who is not believed: providers, and those who stand in between, that say what is not so."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from joserfc.jwk import OctKey
from starlette.responses import JSONResponse, RedirectResponse, Response

from replicator.errors import AccessDenied, NotAuthenticated, ProviderUnavailable
from replicator.notify.settings import Secret
from replicator.oidc import fetching
from replicator.oidc.attempt import Attempt
from replicator.oidc.login import OidcLogin
from replicator.oidc.settings import Grant, OidcSettings
from replicator.service.access.identity import Role
from tests.oidc.fake_provider import CLIENT, fake_provider, key
from tests.support.certificates import Authority

SECRET = "canary-of-the-client"


@pytest.fixture
async def provider():
    async with fake_provider() as found:
        yield found


def login_at(provider, clock=lambda: datetime.now(UTC), **others):
    settings = OidcSettings(
        provider.issuer,
        CLIENT,
        "https://replicate.test",
        Secret(SECRET),
        grants=(Grant("platform", Role.ADMIN),),
        **others,
    )
    return OidcLogin(settings, {}, clock)


async def sign_in(provider, login=None, **answer):
    login, attempt = login or login_at(provider), Attempt.new()
    state = provider.begun(await login.begin(attempt))
    return await login.finish(attempt, {"code": "c", "state": state, **answer})


async def test_a_true_answer_is_believed(provider):
    known = await sign_in(provider)

    assert known.identity.subject == "oidc:ada"
    assert known.identity.role is Role.ADMIN
    assert known.subject == "1"


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"nonce": "another"}, "another nonce"),
        ({"nonce": None}, "does not say its nonce"),
        ({"iss": "https://evil.example"}, "another iss"),
        ({"iss": None}, "does not say its iss"),
        ({"aud": "another"}, "another aud"),
        ({"aud": ["another"]}, "another aud"),
        ({"aud": None}, "does not say its aud"),
        ({"aud": [CLIENT, "another"]}, "another party"),
        ({"aud": [CLIENT, "another"], "azp": "another"}, "another party"),
        ({"azp": "another"}, "another party"),
        ({"exp": int(time.time()) - 3600}, "is over"),
        ({"exp": None}, "does not say its exp"),
        ({"exp": "tomorrow"}, "another exp"),
        ({"iat": int(time.time()) + 3600}, "another iat"),
        ({"nbf": int(time.time()) + 3600}, "nbf"),
        ({"sub": None}, "does not say its sub"),
        ({"sub": ""}, "sub"),
        ({"sub": 7}, "sub"),
        ({"at_hash": "wrong"}, "another access token"),
    ],
)
async def test_a_token_that_is_not_for_us_and_now_is_not_believed(provider, claims, said):
    provider.claims = claims

    with pytest.raises(NotAuthenticated) as refusal:
        await sign_in(provider)

    assert said in str(refusal.value)


async def test_a_token_that_nobody_signed_is_not_believed(provider):
    provider.sign = provider.unsigned

    with pytest.raises(NotAuthenticated, match="cannot be checked"):
        await sign_in(provider)


async def test_a_public_key_is_not_taken_for_a_secret(provider):
    provider.sign = provider.signed_with_what_is_public
    provider.published = [provider.key, OctKey.generate_key(256, {"kid": "shared"})]

    with pytest.raises(NotAuthenticated, match="cannot be checked"):
        await sign_in(provider)


async def test_a_token_signed_with_a_published_secret_is_not_believed(provider):
    shared = OctKey.generate_key(256, {"kid": "shared"})
    provider.answers["/keys"] = JSONResponse({"keys": [shared.as_dict(private=True)]})

    with pytest.raises(NotAuthenticated, match="no key of the provider"):
        await sign_in(provider)


async def test_a_token_of_another_key_of_the_same_name_is_not_believed(provider):
    provider.published = [key(provider.key.kid, 2)]

    with pytest.raises(NotAuthenticated, match="no key of the provider"):
        await sign_in(provider)


@pytest.mark.parametrize("token", [None, 7, "", "a.b.c", "x" * 100_000, {"a": 1}, "é.é.é"])
async def test_what_is_no_token_is_not_believed(provider, token):
    provider.answers["/token"] = JSONResponse({"access_token": "a", "id_token": token})

    with pytest.raises(NotAuthenticated):
        await sign_in(provider)


async def test_keys_that_have_been_exchanged_are_found(provider):
    login = login_at(provider)
    await sign_in(provider, login)
    provider.key = key("second")
    provider.published = [provider.key]
    await sign_in(provider, login)
    # Also where the new one has the name of the old one.
    provider.key = key("second", 2)
    provider.published = [provider.key]
    known = await sign_in(provider, login)

    read = [path for path, _, _ in provider.asked if path == "/keys"]
    assert known.subject == "1"
    assert len(read) == 3


async def test_what_a_provider_publishes_is_kept_for_an_hour(provider):
    now = [datetime.now(UTC)]
    login = login_at(provider, lambda: now[0])
    await login.begin(Attempt.new())
    now[0] += timedelta(minutes=59)
    await login.begin(Attempt.new())
    now[0] += timedelta(minutes=1)
    await login.begin(Attempt.new())

    assert len(provider.asked) == 2


@pytest.mark.parametrize(
    "answer",
    [
        {"state": "another"},
        {"state": ""},
        {"state": "é"},
        {"iss": "https://evil.example"},
        {"code": ""},
        {"error": "access_denied"},
    ],
)
async def test_an_answer_that_is_not_to_this_attempt_redeems_nothing(provider, answer):
    with pytest.raises(NotAuthenticated):
        await sign_in(provider, **answer)

    assert "/token" not in [path for path, _, _ in provider.asked]


async def test_a_provider_that_names_itself_in_answers_has_to(provider):
    provider.document = {"authorization_response_iss_parameter_supported": True}

    with pytest.raises(NotAuthenticated, match="another provider"):
        await sign_in(provider)
    known = await sign_in(provider, iss=provider.issuer)

    assert known.subject == "1"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("issuer", "https://evil.example", "calls itself"),
        ("issuer", None, "calls itself"),
        ("token_endpoint", "https://evil.example/token", "has its token_endpoint at"),
        ("token_endpoint", "http://127.0.0.1.evil.example/", "has its token_endpoint at"),
        ("token_endpoint", "http://a@127.0.0.1/", "no address"),
        ("token_endpoint", "file:///etc/passwd", "no address"),
        ("token_endpoint", 7, "no address"),
        ("token_endpoint", None, "does not say its token_endpoint"),
        ("jwks_uri", "https://evil.example/keys", "has its jwks_uri at"),
        ("authorization_endpoint", "https://evil.example/", "has its authorization_endpoint at"),
        ("authorization_endpoint", "javascript:alert(1)", "no address"),
        ("userinfo_endpoint", "https://evil.example/", "has its userinfo_endpoint at"),
        ("end_session_endpoint", "https://evil.example/", "has its end_session_endpoint at"),
    ],
)
async def test_a_document_sends_nobody_elsewhere(provider, name, value, said):
    provider.document = {name: value}

    with pytest.raises(ProviderUnavailable) as refusal:
        await sign_in(provider)

    assert said in str(refusal.value)
    assert all(SECRET not in body for _, _, body in provider.asked)


async def test_an_origin_that_the_file_names_may_have_parts_of_the_provider(provider):
    async with fake_provider() as other:
        provider.document = {"userinfo_endpoint": f"{other.issuer}/userinfo"}
        provider.claims = {"groups": None}
        other.user_info = {"groups": ["platform"]}
        known = await sign_in(provider, login_at(provider, origins=(other.issuer,)))

    assert known.identity.role is Role.ADMIN
    assert [path for path, _, _ in other.asked] == ["/userinfo"]


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys", "/token"])
async def test_a_redirect_is_not_followed(provider, path):
    async with fake_provider() as other:
        provider.answers[path] = RedirectResponse(f"{other.issuer}/taken", 302)
        with pytest.raises((ProviderUnavailable, NotAuthenticated)):
            await sign_in(provider)

        assert other.asked == []


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"<html>", b"[" * 100_000, b"\xff", b'{"a":' + b" " * 2_000_000 + b"1}"]
)
async def test_what_is_no_document_is_said_so(provider, body):
    provider.answers["/.well-known/openid-configuration"] = Response(body)

    with pytest.raises(ProviderUnavailable):
        await sign_in(provider)


@pytest.mark.parametrize(
    ("issuer", "said"),
    [
        ("http://127.0.0.1:1", "127.0.0.1:1 cannot be reached: connection refused"),
        ("http://[::1]:1", "[::1]:1 cannot be reached: "),
        (
            "https://no-such-host.invalid",
            "no-such-host.invalid:443 cannot be reached: the host is not known",
        ),
    ],
)
async def test_where_nobody_answers_is_said_with_its_port_and_why(issuer, said):
    with pytest.raises(ProviderUnavailable, match=re.escape(said)):
        await fetching.get(f"{issuer}/.well-known/openid-configuration")


async def test_an_answer_that_is_an_error_is_said_with_its_port(provider):
    provider.answers["/.well-known/openid-configuration"] = Response(b"{}", 503)
    port = urlsplit(provider.issuer).port

    with pytest.raises(ProviderUnavailable, match=rf"^127\.0\.0\.1:{port} answered 503"):
        await sign_in(provider)


async def test_a_certificate_that_is_not_trusted_is_said_so(tmp_path):
    issued = Authority(tmp_path).issue(tmp_path, "server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(issued.certificate, issued.key)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", ssl=context)
    port = server.sockets[0].getsockname()[1]

    async with server:
        with pytest.raises(ProviderUnavailable) as failure:
            await fetching.get(f"https://127.0.0.1:{port}/keys")

    assert str(failure.value).startswith(
        f"127.0.0.1:{port} cannot be reached: its certificate is not trusted ("
    )


async def test_keys_that_cannot_be_used_are_left_aside(provider):
    odd = [7, {}, {"kty": "RSA"}, {"kty": "XYZ", "kid": "a"}, {"kty": "EC", "crv": "P-0"}]
    own = provider.key.as_dict(private=False)
    provider.answers["/keys"] = JSONResponse({"keys": [*odd, own]})

    known = await sign_in(provider)

    assert known.subject == "1"


async def test_what_is_told_of_somebody_else_is_not_believed(provider):
    provider.claims = {"groups": None}
    provider.user_info = {"sub": "2", "groups": ["platform"]}

    with pytest.raises(NotAuthenticated, match="somebody else"):
        await sign_in(provider)


async def test_what_a_provider_does_not_say_grants_nothing(provider):
    provider.claims = {"groups": None}

    with pytest.raises(AccessDenied, match="nothing is granted"):
        await sign_in(provider)


async def test_the_secret_of_the_client_goes_to_one_place_and_into_no_words(provider):
    provider.answers["/token"] = JSONResponse(
        {"error": "invalid_client", "error_description": "no\nsuch\tclient"}, 401
    )

    with pytest.raises(NotAuthenticated) as refusal:
        await sign_in(provider)

    assert "no such client" in str(refusal.value)
    assert SECRET not in str(refusal.value)
    with_login = [path for path, headers, _ in provider.asked if "authorization" in headers]
    assert with_login == ["/token"]
