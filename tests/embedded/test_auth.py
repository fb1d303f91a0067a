"""Who is let in, by password and by token."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.embedded.access import Access
from replicator.embedded.guard import BasicAuth
from replicator.embedded.passwords import HtpasswdFile, PlainPasswords, basic_login
from replicator.embedded.server import EmbeddedRegistry
from replicator.embedded.token_auth import TokenAuth
from replicator.embedded.tokens import Signer
from replicator.errors import ConfigError
from tests.support.address import Credentials
from tests.support.embedded import random_bytes, store_blob, store_image
from tests.support.htpasswd import write_htpasswd

PASSWORDS = PlainPasswords({"alice": "wonderland"})
ALICE = httpx.BasicAuth("alice", "wonderland")
WRONG = [httpx.BasicAuth("alice", "looking-glass"), httpx.BasicAuth("bob", "wonderland")]
PULL, PUSH = "repository:team/app:pull", "repository:team/app:pull,push"


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def serving(auth, storage=None):
    async with (
        EmbeddedRegistry(storage, auth=auth) as registry,
        httpx.AsyncClient(base_url=registry.url) as http,
    ):
        yield http


async def token(http, *scopes: str, auth=ALICE, **parameters: str) -> str:
    answer = await http.get("/token", params={"scope": scopes, **parameters}, auth=auth)
    assert answer.status_code == 200
    return answer.json()["token"]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(params=["plain", "htpasswd"])
def passwords(request, tmp_path):
    if request.param == "plain":
        return PASSWORDS
    return HtpasswdFile(write_htpasswd(tmp_path, Credentials("alice", "wonderland")))


async def test_basic_lets_in_who_knows_the_password(passwords):
    async with serving(BasicAuth(passwords)) as http:
        assert (await http.get("/v2/", auth=ALICE)).status_code == 200
        assert (await http.get("/v2/", auth=ALICE)).status_code == 200


@pytest.mark.parametrize("auth", [None, *WRONG])
async def test_basic_asks_everybody_else_for_a_login(passwords, auth):
    async with serving(BasicAuth(passwords)) as http:
        answer = await http.get("/v2/", auth=auth)

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (401, "UNAUTHORIZED")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="embedded registry"'


@pytest.mark.parametrize("text", ["alice:{SHA}abc", "alice", "\x00\n"])
def test_a_password_file_without_bcrypt_is_refused_by_its_line(tmp_path, text):
    file = tmp_path / "htpasswd"
    file.write_text(f"# users\n\n{text}\n")

    with pytest.raises(ConfigError, match="htpasswd, line 3"):
        HtpasswdFile(file)


def test_a_missing_password_file_is_a_clear_error(tmp_path):
    with pytest.raises(ConfigError, match="htpasswd"):
        HtpasswdFile(tmp_path / "htpasswd")


async def test_the_challenge_says_where_to_get_which_token():
    async with serving(TokenAuth(PASSWORDS, service="registry.example.com")) as http:
        answer = await http.post("/v2/team/app/blobs/uploads/")

        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == (
            f'Bearer realm="{http.base_url}/token",service="registry.example.com",scope="{PUSH}"'
        )


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/v2/", ""),
        ("GET", "/v2/_catalog", ',scope="registry:catalog:*"'),
        ("HEAD", "/v2/team/app/manifests/v1", f',scope="{PULL}"'),
        ("GET", "/v2/team/app/tags/list", f',scope="{PULL}"'),
        ("GET", f"/v2/team/app/referrers/sha256:{'0' * 64}", f',scope="{PULL}"'),
        ("PUT", "/v2/team/app/manifests/v1", f',scope="{PUSH}"'),
        ("PATCH", "/v2/team/app/blobs/uploads/1", f',scope="{PUSH}"'),
        ("DELETE", "/v2/team/app/manifests/v1", ',scope="repository:team/app:delete"'),
        ("GET", "/v2/team/app/manifests/v1%0a", f',scope="{PULL}"'),
        (
            "POST",
            f"/v2/team/app/blobs/uploads/?mount=sha256:{'0' * 64}&from=team/base",
            f',scope="{PUSH} repository:team/base:pull"',
        ),
    ],
)
async def test_each_request_needs_its_scope(method, path, scope):
    async with serving(TokenAuth(PASSWORDS)) as http:
        answer = await http.request(method, path)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].endswith(f'/token",service="embedded"{scope}')


async def test_a_token_lets_in_for_what_it_was_asked_for():
    async with serving(TokenAuth(PASSWORDS)) as http:
        headers = bearer(await token(http, PUSH))

        allowed = await http.post("/v2/team/app/blobs/uploads/", headers=headers)
        elsewhere = await http.post("/v2/team/other/blobs/uploads/", headers=headers)

    assert allowed.status_code == 202
    assert elsewhere.status_code == 401
    assert 'error="insufficient_scope"' in elsewhere.headers["WWW-Authenticate"]


async def test_a_token_for_several_scopes_may_mount():
    auth = TokenAuth(PASSWORDS)
    async with EmbeddedRegistry(auth=auth) as registry:
        blob = store_blob(registry.storage, "team/base", random_bytes("blob", 100))
        target = f"/v2/team/app/blobs/uploads/?mount={blob.digest}&from=team/base"
        async with httpx.AsyncClient(base_url=registry.url) as http:
            for scopes in ([PUSH, "repository:team/base:pull"], [f"{PUSH} repository:team/base:*"]):
                answer = await http.post(target, headers=bearer(await token(http, *scopes)))
                assert answer.status_code == 201


async def test_a_token_is_good_for_its_lifetime_and_no_longer():
    clock = Clock()
    async with serving(TokenAuth(PASSWORDS, lifetime=timedelta(seconds=60), clock=clock)) as http:
        headers = bearer(await token(http))
        clock.now += 59
        good = await http.get("/v2/", headers=headers)
        clock.now += 1
        stale = await http.get("/v2/", headers=headers)

    assert good.status_code == 200
    assert stale.status_code == 401
    assert 'error="invalid_token"' in stale.headers["WWW-Authenticate"]


async def test_the_token_answer_says_how_long_it_is_good():
    async with serving(TokenAuth(PASSWORDS, clock=Clock())) as http:
        answer = (await http.get("/token", auth=ALICE)).json()

    assert answer["token"] == answer["access_token"]
    assert answer["expires_in"] == 300
    assert answer["issued_at"] == "2027-01-15T08:00:00+00:00"
    assert "refresh_token" not in answer


@pytest.mark.parametrize("auth", [None, *WRONG])
@pytest.mark.parametrize("anonymous", [True, False])
async def test_a_wrong_login_gets_no_token(auth, anonymous):
    async with serving(TokenAuth(PASSWORDS, anonymous_pull=anonymous)) as http:
        answer = await http.get("/token", params={"scope": PULL}, auth=auth)

    assert answer.status_code == (200 if anonymous and auth is None else 401)


async def test_anonymous_tokens_are_good_for_pulling_alone(storage):
    store_image(storage, "team/app", "v1")
    auth = TokenAuth(PASSWORDS, anonymous_pull=True)
    async with serving(auth, storage) as http:
        headers = bearer(await token(http, PUSH, "registry:catalog:*", auth=None))

        assert (await http.get("/v2/team/app/manifests/v1", headers=headers)).status_code == 200
        assert (await http.post("/v2/team/app/blobs/uploads/", headers=headers)).status_code == 401
        assert (await http.get("/v2/_catalog", headers=headers)).status_code == 401


async def test_a_refresh_token_is_exchanged_for_access_tokens():
    async with serving(TokenAuth(PASSWORDS)) as http:
        login = {"grant_type": "password", "username": "alice", "password": "wonderland"}
        first = await http.post("/token", data={**login, "access_type": "offline", "scope": PULL})
        exchange = {
            "grant_type": "refresh_token",
            "refresh_token": first.json()["refresh_token"],
            "scope": PUSH,
        }
        second = await http.post("/token", data=exchange)
        headers = bearer(second.json()["access_token"])
        answer = await http.post("/v2/team/app/blobs/uploads/", headers=headers)

    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"grant_type": "password", "username": "alice", "password": "wrong"}, 401),
        ({"grant_type": "refresh_token", "refresh_token": "nonsense"}, 401),
        ({"grant_type": "client_credentials"}, 400),
        ({}, 400),
        ({"grant_type": "x" * 70_000}, 413),
    ],
)
async def test_a_wrong_form_gets_no_token(form, status):
    async with serving(TokenAuth(PASSWORDS)) as http:
        assert (await http.post("/token", data=form)).status_code == status


async def test_an_access_token_is_no_refresh_token():
    async with serving(TokenAuth(PASSWORDS)) as http:
        form = {"grant_type": "refresh_token", "refresh_token": await token(http, PUSH)}

        assert (await http.post("/token", data=form)).status_code == 401


@given(st.dictionaries(st.text(), st.integers() | st.text(), max_size=3))
def test_a_signed_token_reads_back_and_a_changed_one_does_not(claims):
    signer = Signer(Clock())
    claims |= {"exp": 1_900_000_000}
    token = signer.sign(claims)

    assert signer.read(token) == claims
    for position in itertools.accumulate(map(len, token.split("."))):
        changed = token[: position - 1] + ("A" if token[position - 1] != "A" else "B")
        assert signer.read(changed + token[position:]) is None


@given(st.text())
def test_no_text_is_taken_for_a_token(text):
    assert Signer(Clock()).read(text) is None


@given(st.text())
def test_no_header_breaks_the_reading_of_a_login(text):
    assert basic_login(f"Basic {text}") is None or text


@given(
    st.sampled_from(["repository", "registry"]),
    st.from_regex(r"[a-z:/]{1,20}", fullmatch=True),
    st.sets(st.sampled_from(["pull", "push", "delete", "*"]), min_size=1),
)
def test_a_scope_reads_back_as_it_is_written(kind, name, actions):
    access = Access(kind, name, frozenset(actions))

    assert Access.parse(str(access)) == access
