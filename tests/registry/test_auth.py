from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import traceback

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from replicator.errors import (
    Denied,
    LoginRefused,
    NotARegistry,
    OutboundRefused,
    RateLimited,
    RegistryError,
    RegistryUnavailable,
    Rejected,
    Unauthorized,
)
from replicator.registry.auth import Authenticator
from replicator.registry.gate import Gate
from replicator.registry.scopes import Scope
from replicator.registry.settings import Credentials, RegistrySettings
from replicator.registry.tokens import TokenService, read_token
from tests.registry.vendors import (
    HOST,
    URL,
    BasicOnly,
    Demanding,
    Harbor,
    Quay,
    Time,
    Unchallenging,
    Vendor,
    json_answer,
    no_form,
)
from tests.transfer.virtual_time import in_virtual_time

ALICE = Credentials("alice", "wonderland")
WRONG = Credentials("alice", "guessed")
IDENTITY = Credentials("alice", identity_token="alice-identity-token")


def pull(repository: str) -> tuple[Scope, ...]:
    return (Scope("repository", repository, ("pull",)),)


def push(repository: str) -> tuple[Scope, ...]:
    return (Scope("repository", repository, ("pull", "push")),)


@pytest.fixture
def time() -> Time:
    return Time()


class Changing:
    """A keychain whose secret somebody changes."""

    def __init__(self, credentials: Credentials | None) -> None:
        self.credentials = credentials
        self.asked = 0

    async def credentials_for(self, registry: str) -> Credentials | None:
        assert registry == HOST
        self.asked += 1
        return self.credentials


def authenticator(
    vendor: Vendor, keychain: Changing | Credentials | None = ALICE, **settings
) -> Authenticator:
    if keychain is None or isinstance(keychain, Credentials):
        keychain = Changing(keychain)
    gate = Gate(RegistrySettings(HOST, **settings))
    return Authenticator(gate, keychain, vendor.send, clock=vendor.time.clock)


async def ask(
    vendor: Vendor,
    subject: Authenticator,
    repository: str = "alice/app",
    *,
    method: str = "GET",
    scopes: tuple[Scope, ...] | None = None,
) -> int:
    """Make a request as the client does: again while that may help, but not for ever."""
    if scopes is None:
        scopes = pull(repository) if method == "GET" else push(repository)
    url = httpx.URL(f"{URL}/v2/{repository}/manifests/latest")
    for _ in range(3):
        used = await subject.authorization(scopes)
        response = await vendor.send(request_with(method, url, used))
        if response.status_code != 401:
            break
        if not await subject.challenged(url, response.headers, scopes, used):
            break
    return response.status_code


def request_with(method: str, url: httpx.URL, authorization: str | None) -> httpx.Request:
    headers = {"Authorization": authorization} if authorization else {}
    return httpx.Request(method, url, headers=headers)


def schemes(requests: list[httpx.Request]) -> list[str]:
    return [each.headers.get("authorization", "none").split()[0] for each in requests]


class TestTokens:
    async def test_everybody_reads_what_is_public(self, time):
        vendor = Vendor(time)
        subject = authenticator(vendor, None)

        assert await ask(vendor, subject, "public/app") == 200

        assert schemes(vendor.token_requests) == ["none"]

    async def test_a_login_is_exchanged_for_a_token_and_goes_nowhere_else(self, time):
        vendor = Vendor(time)

        assert await ask(vendor, authenticator(vendor)) == 200

        assert schemes(vendor.token_requests) == ["Basic"]
        assert schemes(vendor.api_requests) == ["none", "Bearer"]

    async def test_the_request_for_a_token_says_what_it_is_for(self, time):
        vendor = Vendor(time)
        vendor.realm = f"{URL}/token?kind=a%2Fb"

        await ask(vendor, authenticator(vendor))

        assert vendor.token_requests[0].url.params.multi_items() == [
            ("kind", "a/b"),
            ("service", HOST),
            ("scope", "repository:alice/app:pull"),
            ("client_id", "replicator"),
            ("account", "alice"),
        ]
        assert vendor.token_requests[0].url.query.startswith(b"kind=a%2Fb&")

    async def test_a_token_is_used_again(self, time):
        vendor = Vendor(time)
        subject = authenticator(vendor)

        for _ in range(3):
            await ask(vendor, subject)

        assert len(vendor.requests) == 1 + 1 + 3

    async def test_once_the_service_is_known_a_token_is_there_before_it_is_asked_for(self, time):
        vendor = Vendor(time)
        subject = authenticator(vendor)
        await ask(vendor, subject, "alice/one")
        vendor.requests.clear()

        assert await ask(vendor, subject, "alice/two") == 200

        assert len(vendor.requests) == 2

    async def test_reading_does_not_ask_for_more_than_reading(self, time):
        vendor = Vendor(time)
        subject = authenticator(vendor)

        await ask(vendor, subject)
        await ask(vendor, subject, method="PUT")

        assert vendor.asked_scopes(0) == ["repository:alice/app:pull"]
        assert vendor.asked_scopes(1) == ["repository:alice/app:pull,push"]

    async def test_the_scope_that_pushes_comes_first(self, time):
        vendor = Vendor(time)
        scopes = (*pull("public/base"), *push("alice/app"))

        await ask(vendor, authenticator(vendor), method="PUT", scopes=scopes)

        assert vendor.asked_scopes() == [
            "repository:alice/app:pull,push",
            "repository:public/base:pull",
        ]

    async def test_as_many_as_want_it_make_one_request_for_a_token(self, time):
        vendor = Vendor(time)
        subject = authenticator(vendor)

        statuses = await asyncio.gather(*(ask(vendor, subject) for _ in range(20)))

        assert set(statuses) == {200}
        assert len(vendor.token_requests) == 1

    async def test_when_the_one_who_fetches_is_cancelled_another_one_does(self, time):
        vendor = Vendor(time)
        subject = authenticator(vendor)
        await ask(vendor, subject, "alice/other")
        started, go_on = asyncio.Event(), asyncio.Event()

        async def pause():
            started.set()
            await go_on.wait()

        vendor.pause = pause
        first = asyncio.create_task(subject.authorization(pull("alice/app")))
        await started.wait()
        second = asyncio.create_task(subject.authorization(pull("alice/app")))
        await asyncio.sleep(0)

        first.cancel()
        go_on.set()

        assert (await second).startswith("Bearer ")
        with pytest.raises(asyncio.CancelledError):
            await first

    async def test_the_realm_may_be_relative_and_zot_writes_it_without_quotes(self, time):
        class Zot(Vendor):
            def challenge(self, request, scope):
                return {"WWW-Authenticate": f"bearer realm=/token,service={HOST}"}

        vendor = Zot(time)

        assert await ask(vendor, authenticator(vendor)) == 200

    async def test_a_scheme_nobody_knows_is_passed_over(self, time):
        class Proxied(Vendor):
            def challenge(self, request, scope):
                bearer = super().challenge(request, scope)["WWW-Authenticate"]
                return {"WWW-Authenticate": f'Negotiate, Digest realm="x", {bearer}'}

        vendor = Proxied(time)

        assert await ask(vendor, authenticator(vendor)) == 200

    async def test_a_token_is_renewed_where_it_came_from(self, time):
        class Artifactory(Vendor):
            """Has a token service for each repository."""

            def challenge(self, request, scope):
                repository = request.url.path.split("/")[3]
                realm = f"{self.realm}/{repository}"
                return {"WWW-Authenticate": f'Bearer realm="{realm}",scope="{scope}"'}

            def given(self, user, asked):
                wanted = self.token_requests[-1].url.path.rpartition("/")[2]
                return super().given(user, [each for each in asked if wanted in each])

        vendor = Artifactory(time)
        subject = authenticator(vendor)
        for repository in ("alice/one", "alice/two", "alice/one", "alice/two"):
            assert await ask(vendor, subject, repository) == 200
        vendor.requests.clear()

        time.seconds += 280
        assert await ask(vendor, subject, "alice/one") == 200

        assert [each.url.path for each in vendor.token_requests] == ["/token/one"]

    async def test_a_401_without_a_challenge_is_about_the_one_of_the_ping(self, time):
        vendor = Unchallenging(time)
        subject = authenticator(vendor)

        assert await ask(vendor, subject) == 200
        assert await ask(vendor, subject, "alice/other") == 200

        pings = [each for each in vendor.api_requests if each.url.path == "/v2/"]
        assert len(pings) == 1

    async def test_scopes_that_the_challenge_names_are_asked_for_as_well_and_remembered(self, time):
        vendor = Demanding(time)
        subject = authenticator(vendor)

        assert await ask(vendor, subject) == 200
        time.seconds += 280
        assert await ask(vendor, subject) == 200

        wanted = ["repository:alice/app:pull", "artifact-repository:alice/app:metadata_read"]
        assert vendor.asked_scopes(0) == vendor.asked_scopes(1) == wanted
        assert len(vendor.api_requests) == 3

    async def test_a_token_for_too_little_is_exchanged_for_one_for_more(self, time):
        vendor = Demanding(time)
        subject = authenticator(vendor)
        other = await vendor.send(httpx.Request("GET", f"{URL}/v2/alice/other/manifests/x"))
        await subject.challenged(httpx.URL(f"{URL}/v2/"), other.headers, pull("alice/x"), None)

        assert await ask(vendor, subject) == 200

        assert vendor.asked_scopes(-2) == ["repository:alice/app:pull"]
        assert len(vendor.asked_scopes(-1)) == 2

    async def test_a_registry_that_always_names_another_scope_comes_to_an_end(self, time):
        class Endless(Vendor):
            def resource(self, request):
                scope = f"repository:alice/{len(self.requests)}:pull"
                challenge = (
                    f'Bearer realm="{self.realm}",scope="{scope}",error="insufficient_scope"'
                )
                return httpx.Response(401, headers={"WWW-Authenticate": challenge})

        vendor = Endless(time)

        assert await ask(vendor, authenticator(vendor)) == 401

        assert len(vendor.token_requests) == 3

    async def test_tokens_of_ten_thousand_repositories_are_not_all_kept(self, time):
        vendor = Vendor(time)
        subject = authenticator(vendor)
        await ask(vendor, subject)

        for number in range(2000):
            await subject.authorization(pull(f"alice/{number}"))
        vendor.requests.clear()

        await subject.authorization(pull("alice/1999"))
        assert vendor.requests == []
        await subject.authorization(pull("alice/0"))
        assert len(vendor.requests) == 1


class TestLife:
    @pytest.mark.parametrize(
        ("life", "good_for", "renewed_after"),
        [
            (300, 269, 271),
            (3600, 3239, 3241),
            (60, 29, 31),
            (None, 29, 31),
            (0, 29, 31),
            (-5, 29, 31),
            (10, 4, 6),
        ],
    )
    async def test_a_token_is_renewed_before_it_expires(self, time, life, good_for, renewed_after):
        vendor = Vendor(time, life=life)
        vendor.real_life = 10_000
        subject = authenticator(vendor)
        await ask(vendor, subject)
        start = time.seconds

        time.seconds = start + good_for
        await ask(vendor, subject)
        assert len(vendor.token_requests) == 1
        time.seconds = start + renewed_after
        await ask(vendor, subject)

        assert len(vendor.token_requests) == 2

    @pytest.mark.parametrize(
        ("claims", "life"),
        [
            ({"iat": 5000, "exp": 8600}, 3600),
            ({"iat": 5000, "exp": 5000}, 60),
            ({"exp": 8600}, 60),
            ({"iat": "5000", "exp": "8600"}, 60),
            (["iat"], 60),
        ],
    )
    def test_without_a_life_in_the_answer_the_one_in_the_token_counts(self, claims, life):
        body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        service = TokenService(httpx.URL("https://registry.test/token"), "")

        assert read_token({"token": f"x.{body}.y"}, service, (), 0.0).life == life
        assert read_token({"token": f"x.{body}.y", "expires_in": 7}, service, (), 0.0).life == 7

    @pytest.mark.parametrize("issued_at", ["1970-01-01T00:00:00Z", "2999-01-01T00:00:00Z", 7])
    async def test_the_clock_of_the_token_service_does_not_matter(self, time, issued_at):
        vendor = Vendor(time)
        reply = vendor.reply
        vendor.reply = lambda token: reply(token) | {"issued_at": issued_at}
        subject = authenticator(vendor)

        await ask(vendor, subject)
        await ask(vendor, subject)

        assert len(vendor.token_requests) == 1

    async def test_an_access_token_is_a_token(self, time):
        vendor = Vendor(time)
        vendor.reply = lambda token: {"access_token": token, "expires_in": 300}

        assert await ask(vendor, authenticator(vendor)) == 200

    async def test_while_the_token_service_is_down_a_token_lasts_as_long_as_it_can(self, time):
        vendor = Vendor(time)
        subject = authenticator(vendor)
        await ask(vendor, subject)
        vendor.before_token = lambda: httpx.Response(503)

        time.seconds += 290
        assert await ask(vendor, subject) == 200
        time.seconds += 20
        vendor.requests.clear()
        with pytest.raises(RegistryUnavailable):
            await ask(vendor, subject)
        assert vendor.api_requests == []

    async def test_a_token_that_expires_too_early_is_renewed_once(self, time):
        vendor = Vendor(time, life=3600)
        vendor.real_life = 100
        subject = authenticator(vendor)
        await ask(vendor, subject)

        time.seconds += 101
        statuses = await asyncio.gather(*(ask(vendor, subject) for _ in range(10)))

        assert set(statuses) == {200}
        assert len(vendor.token_requests) == 2

    async def test_who_comes_late_with_an_old_token_uses_the_one_that_is_there_by_now(self, time):
        vendor = Vendor(time, life=3600)
        subject = authenticator(vendor)
        await ask(vendor, subject)
        old = await subject.authorization(pull("alice/app"))
        vendor.issued.clear()
        time.seconds += 31
        await ask(vendor, subject)
        url, headers = httpx.URL(f"{URL}/v2/alice/app/manifests/latest"), httpx.Headers()

        assert await subject.challenged(url, headers, pull("alice/app"), old)

        new = await subject.authorization(pull("alice/app"))
        assert new != old
        assert not await subject.challenged(url, headers, pull("alice/app"), new)
        assert len(vendor.token_requests) == 2

    async def test_a_fresh_token_that_is_refused_is_final(self, time):
        vendor = Vendor(time)
        subject = authenticator(vendor)

        for _ in range(3):
            assert await ask(vendor, subject, "bob/private") == 401

        assert len(vendor.token_requests) == 1

    async def test_an_old_token_that_is_refused_is_renewed_in_case_rights_were_given(self, time):
        vendor = Vendor(time)
        subject = authenticator(vendor)
        assert await ask(vendor, subject, "bob/private") == 401
        vendor.allowed = lambda user, resource, actions: actions

        time.seconds += 31

        assert await ask(vendor, subject, "bob/private") == 200

    async def test_a_403_is_worth_another_token_only_if_the_first_one_is_old(self, time):
        vendor = Vendor(time)
        subject = authenticator(vendor)
        await ask(vendor, subject)
        used = await subject.authorization(pull("alice/app"))

        assert not await subject.denied(pull("alice/app"), used)
        time.seconds += 31
        assert await subject.denied(pull("alice/app"), used)
        assert await subject.denied(pull("alice/app"), used)  # somebody else renewed it

        assert await subject.authorization(pull("alice/app")) != used
        assert len(vendor.token_requests) == 2

    async def test_a_403_without_a_token_is_what_it_is(self, time):
        vendor = Vendor(time)
        subject = authenticator(vendor)
        for used in (None, "Basic something"):
            assert await subject.denied(pull("alice/app"), used) is False
        await ask(vendor, subject, "alice/other")

        assert not await subject.denied(pull("alice/app"), "Bearer something")


class TestIdentityTokens:
    async def test_they_are_exchanged_by_post(self, time):
        vendor = Vendor(time)

        assert await ask(vendor, authenticator(vendor, IDENTITY), method="PUT") == 200

        (request,) = vendor.token_requests
        assert request.method == "POST"
        assert "authorization" not in request.headers
        assert "alice-identity-token" not in str(request.url)
        assert "scope=repository%3Aalice%2Fapp%3Apull%2Cpush" in request.content.decode()

    @pytest.mark.parametrize("status", [400, 401, 404, 405])
    async def test_where_that_is_not_done_they_stand_for_a_password_from_then_on(
        self, time, status
    ):
        vendor = no_form(status)(time)
        subject = authenticator(vendor, IDENTITY)

        assert await ask(vendor, subject, "alice/one") == 200
        assert await ask(vendor, subject, "alice/two") == 200

        assert [each.method for each in vendor.token_requests] == ["POST", "GET", "GET"]

    async def test_one_that_is_refused_is_refused(self, time):
        vendor = Vendor(time)
        subject = authenticator(vendor, Credentials("", identity_token="stale"))

        with pytest.raises(Unauthorized, match="the identity token was refused; log in again"):
            await ask(vendor, subject)


class TestHarbor:
    async def test_its_basic_challenge_after_a_refusal_does_not_end_the_use_of_tokens(self, time):
        vendor = Harbor(time, life=1800)
        vendor.real_life = 100
        subject = authenticator(vendor)
        await ask(vendor, subject)

        for _ in range(20):
            time.seconds += 101
            assert await ask(vendor, subject) == 200

        assert "Basic" not in schemes(vendor.api_requests)

    async def test_a_wrong_password_is_found_out_although_it_gets_a_token(self, time):
        vendor = Harbor(time)

        with pytest.raises(
            Unauthorized, match=r"registry\.test: the login of user 'alice' was refused"
        ):
            await ask(vendor, authenticator(vendor, WRONG), "alice/private")

    async def test_a_right_password_is_not_doubted_twice(self, time):
        vendor = Harbor(time)
        subject = authenticator(vendor)

        for _ in range(3):
            assert await ask(vendor, subject, "bob/private") == 401

        assert schemes(vendor.api_requests).count("Basic") == 1

    async def test_without_a_login_nothing_is_doubted(self, time):
        vendor = Harbor(time)

        assert await ask(vendor, authenticator(vendor, None), "bob/private") == 401

        assert schemes(vendor.api_requests) == ["none", "Bearer"]


class TestQuay:
    async def test_a_wrong_password_is_tried_once_whoever_asks(self, time):
        vendor = Quay(time)
        subject = authenticator(vendor, WRONG)

        for number in range(5):
            with pytest.raises(Unauthorized, match="the login of user 'alice' was refused"):
                await ask(vendor, subject, f"alice/{number}")

        assert len(vendor.token_requests) == 1

    async def test_many_at_once_do_not_try_a_wrong_password_more_than_twice(self, time):
        vendor = Quay(time)
        subject = authenticator(vendor, WRONG)

        results = await asyncio.gather(
            *(ask(vendor, subject, f"alice/{number}") for number in range(20)),
            return_exceptions=True,
        )

        assert {type(result) for result in results} == {LoginRefused}
        assert len(vendor.token_requests) <= 2

    async def test_a_minute_later_it_is_tried_again(self, time):
        vendor = Quay(time)
        subject = authenticator(vendor, WRONG)
        with pytest.raises(Unauthorized):
            await ask(vendor, subject)

        time.seconds += 61
        vendor.passwords["alice"] = WRONG.password

        assert await ask(vendor, subject) == 200

    async def test_a_lock_is_waited_out_and_a_second_longer_than_it_says(self, time):
        vendor = Quay(time)
        vendor.locked_until = time.seconds + 0.5

        assert await ask(vendor, authenticator(vendor)) == 200

        assert time.slept == [1.0]

    async def test_a_password_that_stays_wrong_is_tried_less_and_less_often(self, time):
        vendor = Quay(time)
        subject = authenticator(vendor, WRONG)

        for _ in range(600):
            with pytest.raises(Unauthorized):
                await ask(vendor, subject)
            time.seconds += 61

        # 0, 1, 3, 7, 15, 31 minutes, and then once an hour.
        assert len(vendor.token_requests) <= 16

    async def test_a_long_lock_is_said_to_be_one(self, time):
        vendor = Quay(time)
        text = "Too many login attempts. \nPlease reset your Quay password and try again."
        headers = {"Retry-After": "511"}
        vendor.before_token = lambda: httpx.Response(429, text=text, headers=headers)

        with pytest.raises(RateLimited, match="is locked there for 512 s, after wrong passwords"):
            await ask(vendor, authenticator(vendor))

    async def test_a_registry_that_makes_nothing_new_now_is_read_only(self, time):
        vendor = Quay(time)
        body = {"errors": [{"code": "DENIED", "message": "", "detail": {"is_readonly": True}}]}
        vendor.before_token = lambda: httpx.Response(405, json=body)

        with pytest.raises(Denied, match="read-only"):
            await ask(vendor, authenticator(vendor))

    async def test_no_more_than_two_logins_are_under_way(self, time):
        vendor = Quay(time)
        subject = authenticator(vendor)
        await ask(vendor, subject)
        under_way = most = 0

        async def counted():
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1

        vendor.pause = counted
        await asyncio.gather(*(subject.authorization(pull(f"alice/{n}")) for n in range(20)))

        assert most == 2

    async def test_it_is_never_sent_basic_nor_asked_to_delete(self, time):
        vendor = Quay(time)
        subject = authenticator(vendor)

        await ask(vendor, subject)
        await ask(vendor, subject, method="PUT")

        assert "Basic" not in schemes(vendor.api_requests)
        for request in vendor.token_requests:
            assert "delete" not in str(request.url)


class TestBasic:
    async def test_once_it_is_asked_for_it_is_sent_along(self, time):
        vendor = BasicOnly(time)
        subject = authenticator(vendor)

        for _ in range(3):
            assert await ask(vendor, subject) == 200

        assert schemes(vendor.requests) == ["none", "Basic", "Basic", "Basic"]

    async def test_it_is_used_where_bearer_does_not_say_where_tokens_come_from(self, time):
        class Halfway(BasicOnly):
            def resource(self, request):
                response = super().resource(request)
                if response.status_code == 401:
                    response.headers["WWW-Authenticate"] = 'Bearer service="x", Basic realm="y"'
                return response

        vendor = Halfway(time)

        assert await ask(vendor, authenticator(vendor)) == 200

    async def test_user_and_password_are_sent_as_text_of_any_language(self, time):
        vendor = BasicOnly(time)
        vendor.passwords["józef"] = "zażółć: gęślą"

        assert (
            await ask(vendor, authenticator(vendor, Credentials("józef", "zażółć: gęślą"))) == 200
        )

    async def test_a_wrong_password_is_not_tried_for_every_repository(self, time):
        vendor = BasicOnly(time)
        subject = authenticator(vendor, WRONG)

        for number in range(10):
            with pytest.raises(Unauthorized, match="the login of user 'alice' was refused"):
                await ask(vendor, subject, f"alice/{number}")

        assert schemes(vendor.requests).count("Basic") <= 3

    async def test_one_closed_repository_does_not_make_the_login_bad(self, time):
        vendor = BasicOnly(time)
        subject = authenticator(vendor)

        assert await ask(vendor, subject, "closed/app") == 401
        assert await ask(vendor, subject, "alice/app") == 200

    async def test_without_a_login_the_error_says_how_to_log_in(self, time):
        vendor = BasicOnly(time)

        with pytest.raises(Unauthorized, match=r"replicate login registry\.test"):
            await ask(vendor, authenticator(vendor, None))

        assert schemes(vendor.requests) == ["none"]


class TestRotation:
    @pytest.mark.parametrize("vendor_type", [Vendor, Quay, BasicOnly, Harbor])
    async def test_a_changed_password_is_read_again_when_the_old_one_is_refused(
        self, time, vendor_type
    ):
        vendor, keychain = vendor_type(time), Changing(ALICE)
        subject = authenticator(vendor, keychain)
        await ask(vendor, subject)

        vendor.passwords["alice"], keychain.credentials = "new", Credentials("alice", "new")
        vendor.issued.clear()
        time.seconds += 31

        assert await ask(vendor, subject) == 200

    async def test_a_password_that_is_put_right_is_noticed_within_seconds(self, time):
        vendor, keychain = Vendor(time), Changing(WRONG)
        subject = authenticator(vendor, keychain)
        with pytest.raises(Unauthorized):
            await ask(vendor, subject)

        keychain.credentials = ALICE
        time.seconds += 5

        assert await ask(vendor, subject) == 200

    async def test_tokens_of_other_credentials_are_not_used(self, time):
        vendor, keychain = Vendor(time, life=3600), Changing(ALICE)
        subject = authenticator(vendor, keychain)
        await ask(vendor, subject)
        first = await subject.authorization(pull("alice/app"))
        vendor.passwords["bob"], keychain.credentials = "builder", Credentials("bob", "builder")

        time.seconds += 301  # as long as an answer of the keychain is good

        assert await subject.authorization(pull("alice/app")) != first

    async def test_revoked_credentials_are_sent_three_times_at_most(self, time):
        vendor = Quay(time)
        subject = authenticator(vendor)
        await ask(vendor, subject)
        vendor.passwords.clear()
        vendor.requests.clear()

        for number in range(10):
            time.seconds += 1
            with pytest.raises(Unauthorized):
                await ask(vendor, subject, f"alice/{number}")

        assert len(vendor.token_requests) == 3

    async def test_a_repository_that_is_refused_by_the_token_service_is_the_only_one(self, time):
        class Strict(Vendor):
            def given(self, user, asked):
                if "bob" in "".join(asked):
                    return self.wrong_password()
                return super().given(user, asked)

        vendor = Strict(time)
        subject = authenticator(vendor)

        for _ in range(5):
            assert await ask(vendor, subject, "alice/app") == 200
            time.seconds += 280
            with pytest.raises(Unauthorized) as caught:
                await ask(vendor, subject, "bob/app")
            assert not isinstance(caught.value, LoginRefused)

    async def test_the_keychain_is_not_asked_for_every_request(self, time):
        vendor, keychain = Vendor(time), Changing(ALICE)
        subject = authenticator(vendor, keychain)

        for number in range(20):
            await ask(vendor, subject, f"alice/{number}")

        assert keychain.asked == 1

    async def test_two_logins_at_one_registry_share_nothing(self, time):
        vendor = Vendor(time)
        vendor.passwords["bob"] = "builder"
        ours, theirs = authenticator(vendor), authenticator(vendor, Credentials("bob", "builder"))

        for _ in range(2):
            assert await ask(vendor, ours, "alice/app") == 200
            assert await ask(vendor, theirs, "alice/app") == 401
            assert await ask(vendor, theirs, "bob/app") == 200


class TestRefusals:
    async def test_a_realm_that_is_not_trusted_gets_nothing_at_all(self, time):
        vendor = Vendor(time)
        vendor.realm = "https://evil.example/token"

        with pytest.raises(OutboundRefused, match="not trusted with the credentials"):
            await ask(vendor, authenticator(vendor))

        assert vendor.token_requests == []

    async def test_a_named_token_origin_is_trusted(self, time):
        vendor = Vendor(time)
        vendor.realm = "https://auth.example.com/token"
        subject = authenticator(vendor, token_origins=("https://auth.example.com",))

        assert await ask(vendor, subject) == 200

    async def test_who_has_no_login_may_ask_anywhere_for_a_token(self, time):
        vendor = Vendor(time)
        vendor.realm = "https://auth.example.com/token"

        assert await ask(vendor, authenticator(vendor, None), "public/app") == 200

        (request,) = vendor.token_requests
        assert "authorization" not in request.headers
        with pytest.raises(OutboundRefused):
            request.extensions["allow_address"]("127.0.0.1")

    @given(st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0")))
    @example(f'Bearer realm="/token",scope="{"x" * 8000}"')
    @example('Bearer realm="/token",scope="' + " ".join(map(str, range(1500))) + '"')
    @example(f'Bearer realm="/token?{"x" * 8000}"')
    @example(f'Bearer realm="/token",service="{"é" * 8000}"')
    @example('Bearer realm="https://[/token"')
    @example('Bearer realm="//"')
    async def test_no_challenge_breaks_anything(self, challenge):
        class Babbling(Vendor):
            def challenge(self, request, scope):
                return {"WWW-Authenticate": challenge.encode("latin-1")}

        vendor = Babbling(Time())
        subject = authenticator(vendor)
        for _ in range(10):
            with contextlib.suppress(RegistryError):
                await ask(vendor, subject)

    async def test_a_challenge_of_another_host_is_not_answered(self, time):
        vendor = Vendor(time)
        subject = authenticator(vendor)
        challenge = httpx.Headers({"WWW-Authenticate": f'Bearer realm="{URL}/token"'})

        assert not await subject.challenged(
            httpx.URL("https://storage.example.com/"), challenge, pull("alice/app"), None
        )

        assert vendor.requests == []

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (302, OutboundRefused),
            (307, OutboundRefused),
            (400, Rejected),
            (403, Denied),
            (404, Rejected),
            (500, RegistryUnavailable),
            (503, RegistryUnavailable),
        ],
    )
    async def test_what_a_token_service_answers_has_a_name(self, time, status, error):
        vendor = Vendor(time)
        vendor.before_token = lambda: httpx.Response(
            status,
            headers={"Location": "https://evil.example/"},
            json={"errors": [{"code": "SOME_CODE", "message": "wonderland"}]},
        )

        with pytest.raises(error, match=r"registry\.test: .*token.*SOME_CODE") as failure:
            await ask(vendor, authenticator(vendor))

        assert failure.value.status == status
        assert failure.value.codes == ("SOME_CODE",)
        assert "wonderland" not in str(failure.value)
        assert len(vendor.token_requests) == 1

    @pytest.mark.parametrize(
        "answer",
        [
            json_answer([]),
            json_answer({}),
            json_answer({"token": ""}),
            json_answer({"token": None}),
            json_answer({"token": 7}),
            json_answer({"token": "a b"}),
            json_answer({"token": "a\r\nX-Evil: 1"}),
            json_answer({"token": "é"}),
            json_answer({"token": "x", "padding": "x" * 65_536}),
            lambda: httpx.Response(200, content=b"<!DOCTYPE html><title>Log in</title>"),
            lambda: httpx.Response(200, content=b""),
            lambda: httpx.Response(200, content=b'{"token":"a","token":"b"}'),
            lambda: httpx.Response(200, content=b"[" * 60_000),
        ],
    )
    async def test_an_answer_without_a_token_is_not_one_of_a_registry(self, time, answer):
        vendor = Vendor(time)
        vendor.before_token = answer

        with pytest.raises(NotARegistry, match=r"^registry\.test: a token for "):
            await ask(vendor, authenticator(vendor))

    async def test_a_token_service_that_is_busy_is_asked_a_few_times(self, time):
        vendor = Vendor(time)
        vendor.before_token = lambda: httpx.Response(429, text="<html>")

        with pytest.raises(RateLimited) as failure:
            await ask(vendor, authenticator(vendor))

        assert failure.value.retry_after is None
        assert len(vendor.token_requests) == 4
        assert sum(time.slept) < 30

    async def test_a_long_wait_is_left_to_who_asked(self, time):
        vendor = Vendor(time)
        vendor.before_token = lambda: httpx.Response(429, headers={"Retry-After": "3600"})

        with pytest.raises(RateLimited) as failure:
            await ask(vendor, authenticator(vendor))

        assert failure.value.retry_after == 3600
        assert time.slept == []

    async def test_a_login_that_is_needed_and_not_there_is_said(self, time):
        vendor = Vendor(time)
        vendor.before_token = vendor.wrong_password

        with pytest.raises(Unauthorized, match=r"401 UNAUTHORIZED \(no access without a login\)"):
            await ask(vendor, authenticator(vendor, None), "public/app")

    async def test_a_connection_that_breaks_is_our_own_error(self, time):
        vendor = Vendor(time)

        def broken():
            raise httpx.ReadError("reset")

        vendor.before_token = broken
        with pytest.raises(RegistryUnavailable, match="no answer: reset"):
            await ask(vendor, authenticator(vendor))


class TestCheckLogin:
    @pytest.mark.parametrize("vendor_type", [Vendor, Quay, Harbor, BasicOnly, no_form(404)])
    async def test_a_right_password_passes(self, time, vendor_type):
        await authenticator(vendor_type(time)).check_login()

    @pytest.mark.parametrize("vendor_type", [Vendor, Quay, Harbor, BasicOnly])
    async def test_a_wrong_one_does_not(self, time, vendor_type):
        vendor = vendor_type(time)

        with pytest.raises(
            Unauthorized, match=r"registry\.test: the login of user 'alice' was refused"
        ):
            await authenticator(vendor, WRONG).check_login()

        assert len(vendor.token_requests) <= 1

    @pytest.mark.parametrize("vendor_type", [Vendor, no_form(404)])
    async def test_a_right_identity_token_passes(self, time, vendor_type):
        await authenticator(vendor_type(time), IDENTITY).check_login()

    async def test_where_reading_is_free_the_password_is_checked_all_the_same(self, time):
        class Open(BasicOnly):
            def resource(self, request):
                if "authorization" not in request.headers:
                    return httpx.Response(200)
                return super().resource(request)

        await authenticator(Open(time)).check_login()
        with pytest.raises(Unauthorized):
            await authenticator(Open(time), WRONG).check_login()

    async def test_it_is_the_registry_that_is_believed_and_not_the_token_service(self, time):
        class Generous(Vendor):
            def wrong_password(self):
                return self.given(None, [])

        await authenticator(Generous(time)).check_login()
        with pytest.raises(Unauthorized, match="the login of user 'alice' was refused"):
            await authenticator(Generous(time), WRONG).check_login()

    async def test_who_has_no_login_is_told_so(self, time):
        vendor = BasicOnly(time)

        with pytest.raises(Unauthorized, match="it asks for a login; try `replicate login"):
            await authenticator(vendor, None).check_login()

    @pytest.mark.parametrize(
        ("status", "error"), [(404, NotARegistry), (302, NotARegistry), (502, RegistryUnavailable)]
    )
    async def test_what_is_no_registry_is_not_one(self, time, status, error):
        vendor = Vendor(time)
        vendor.resource = lambda request: httpx.Response(status)

        with pytest.raises(error, match=str(status)):
            await authenticator(vendor).check_login()


class TestSecrets:
    CANARY = "canary-Z3x9"

    def forms(self) -> list[str]:
        pair = f"alice:{self.CANARY}".encode()
        return [self.CANARY, base64.b64encode(pair).decode(), "token-1"]

    @pytest.mark.parametrize(
        "answer",
        [
            None,
            lambda: httpx.Response(401),
            lambda: httpx.Response(302, headers={"Location": "https://evil.example/?canary-Z3x9"}),
            lambda: httpx.Response(400, json={"errors": [{"code": "canary-Z3x9"}]}),
            lambda: httpx.Response(500, text="canary-Z3x9"),
            lambda: httpx.Response(200, text='{"token":"canary-Z3x9" no JSON'),
            lambda: httpx.Response(200, text='{"token":"canary-Z3x9\\u0000"}'),
            lambda: httpx.Response(429),
        ],
    )
    @pytest.mark.parametrize("as_identity_token", [False, True])
    async def test_they_are_in_no_error_log_or_repr(self, time, caplog, answer, as_identity_token):
        caplog.set_level(logging.DEBUG)
        vendor = Vendor(time)
        vendor.passwords["alice"] = self.CANARY
        vendor.before_token = answer or (lambda: None)
        credentials = (
            Credentials("alice", identity_token=self.CANARY)
            if as_identity_token
            else Credentials("alice", self.CANARY)
        )
        subject = authenticator(vendor, credentials)

        said = [repr(credentials)]
        try:
            await ask(vendor, subject)
        except RegistryError as error:
            said += [str(error), repr(error), repr(vars(error))]
            said += traceback.format_exception(error)
        said += [repr(subject), repr(vars(subject)), caplog.text]

        for secret in self.forms():
            assert secret not in "".join(said)
        for request in vendor.requests:
            assert self.CANARY not in str(request.url)


@pytest.mark.parametrize("trickles", [True, False])
@in_virtual_time
async def test_a_token_service_has_ten_seconds_in_all(trickles):
    async def trickle():
        while True:
            await asyncio.sleep(1)
            yield b" "

    vendor = Vendor(Time())
    vendor.before_token = lambda: httpx.Response(200, content=trickle())
    if not trickles:
        vendor.pause = lambda: asyncio.sleep(3600)
    start = asyncio.get_running_loop().time()

    with pytest.raises(RegistryUnavailable, match="too slow"):
        await ask(vendor, authenticator(vendor))

    assert asyncio.get_running_loop().time() - start < 11
