"""Logins by the clouds' own libraries, which ask endpoints on this machine."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import textwrap
import time
from contextlib import AsyncExitStack

import pytest

from replicator.errors import ConfigError, Unauthorized
from replicator.oci.reference import Tag
from replicator.registry.claims import claims_of
from replicator.registry.client import open_registry
from replicator.registry.cloud.keychain import CloudKeychain
from replicator.registry.settings import AwsKeys, Cloud, Credentials, RegistrySettings
from tests.fakes.azure import FakeAzure
from tests.fakes.clouds import ExchangingTokens, GoogleLogins, IdentityEndpoint
from tests.fakes.ecr import HOST, KEYS, PUBLIC_HOST, FakeEcr, FakePublicEcr, actions_of
from tests.registry.clients import Patience
from tests.registry.test_repository import push_image
from tests.support import faults as fault
from tests.support.embedded import store_image

# What would lead the libraries to logins of whoever runs the tests.
OWN_LOGINS = (
    "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "GOOGLE_APPLICATION_CREDENTIALS", "AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET",
    "AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_ENDPOINT",
)  # fmt: skip


@pytest.fixture(autouse=True)
def nobodys_machine(monkeypatch, tmp_path):
    for name in OWN_LOGINS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
async def start():
    async with AsyncExitStack() as stack:
        yield lambda *servers: _all(stack, servers)


async def _all(stack, servers):
    for server in servers:
        await stack.enter_async_context(server)


class TestAws:
    @pytest.fixture
    async def ecr(self, start, monkeypatch):
        ecr = FakeEcr()
        await start(*ecr.servers)
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", ecr.site.url)
        return ecr

    async def test_keys_of_the_environment_become_a_token_of_the_registry(self, ecr, monkeypatch):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS.secret_key)
        keychain = CloudKeychain({HOST: Cloud.AWS})

        first = await keychain.credentials_for(HOST)
        again = await keychain.credentials_for(HOST)

        assert first is not None
        assert (first.username, first.aws) == ("AWS", KEYS)
        assert first.password in ecr.issued.ends
        assert again == first
        assert actions_of(ecr.api) == {"GetAuthorizationToken": 1}

    async def test_a_profile_with_a_session_will_do(self, ecr, monkeypatch, tmp_path):
        file = tmp_path / "credentials"
        file.write_text(
            f"[default]\naws_access_key_id = {KEYS.access_key}\n"
            f"aws_secret_access_key = {KEYS.secret_key}\naws_session_token = session\n"
        )
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
        ecr.api.session_token = "session"

        found = await CloudKeychain({HOST: Cloud.AWS}).credentials_for(HOST)

        assert found is not None
        assert found.aws == AwsKeys(KEYS.access_key, KEYS.secret_key, "session")

    async def test_a_token_is_renewed_before_it_ends(self, start, monkeypatch):
        # Given out eleven hours and fifty-five minutes ago.
        ecr = FakeEcr()
        ecr.issued.clock = lambda: time.time() - 12 * 3600 + 300
        await start(*ecr.servers)
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", ecr.site.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS.secret_key)
        keychain = CloudKeychain({HOST: Cloud.AWS})

        first = await keychain.credentials_for(HOST)
        second = await keychain.credentials_for(HOST)

        assert first is not None
        assert second is not None
        assert first.password != second.password

    async def test_the_public_registry_is_asked_in_its_one_region(self, start, monkeypatch):
        public = FakePublicEcr()
        await start(*public.servers)
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR_PUBLIC", public.site.url)
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS.secret_key)

        found = await CloudKeychain({PUBLIC_HOST: Cloud.AWS}).credentials_for(PUBLIC_HOST)

        assert found is not None
        assert found.password in public.issued.ends

    async def test_that_there_are_no_keys_is_said(self, ecr):
        with pytest.raises(ConfigError, match="there are no AWS credentials"):
            await CloudKeychain({HOST: Cloud.AWS}).credentials_for(HOST)

    async def test_keys_that_are_refused_are_said_to_be_and_not_tried_again_at_once(
        self, ecr, monkeypatch
    ):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        keychain = CloudKeychain({HOST: Cloud.AWS})

        for _ in range(3):
            with pytest.raises(ConfigError, match="InvalidSignatureException"):
                await keychain.credentials_for(HOST)

        assert len(ecr.site.requests) == 1

    async def test_other_hosts_are_no_place_for_it(self):
        with pytest.raises(ConfigError, match="for the hosts of ECR"):
            await CloudKeychain({"example.com": Cloud.AWS}).credentials_for("example.com")


class TestGcp:
    @pytest.fixture
    async def logins(self, start, monkeypatch, tmp_path):
        logins = GoogleLogins()
        await start(logins.server)
        file = tmp_path / "key.json"
        file.write_text(logins.key_file())
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        return logins

    async def test_the_key_of_a_service_account_becomes_a_token(self, logins):
        keychain = CloudKeychain({"gcr.io": Cloud.GCP})

        first = await keychain.credentials_for("gcr.io")
        again = await keychain.credentials_for("gcr.io")

        assert first is not None
        assert (first.username, first.password) == ("oauth2accesstoken", logins.tokens[0])
        assert again == first

    async def test_a_token_that_soon_ends_is_renewed(self, logins):
        logins.life = 500
        keychain = CloudKeychain({"gcr.io": Cloud.GCP})

        first = await keychain.credentials_for("gcr.io")
        second = await keychain.credentials_for("gcr.io")

        assert first is not None
        assert second is not None
        assert first.password != second.password

    async def test_a_login_that_is_refused_is_said_to_be(self, logins):
        body = b'{"error":"invalid_grant","error_description":"Invalid grant: account not found"}'
        logins.faults.add(fault.answer(400, body), "POST", "/token")

        with pytest.raises(ConfigError, match="account not found"):
            await CloudKeychain({"gcr.io": Cloud.GCP}).credentials_for("gcr.io")

    async def test_that_there_is_no_login_is_said(self, monkeypatch):
        monkeypatch.setenv("NO_GCE_CHECK", "true")

        with pytest.raises(ConfigError, match=r"no login from Google: .*default credentials"):
            await CloudKeychain({"gcr.io": Cloud.GCP}).credentials_for("gcr.io")


class TestAzure:
    @pytest.fixture
    async def identity(self, start, monkeypatch):
        identity = IdentityEndpoint()
        await start(identity.server)
        for name, value in identity.variables().items():
            monkeypatch.setenv(name, value)
        return identity

    @pytest.fixture
    def patience(self):
        return Patience()

    @pytest.fixture
    async def azure(self, start, identity, patience):
        tokens = ExchangingTokens({}, realm="/oauth2/token", clock=patience.clock.now)
        azure = FakeAzure({}, tokens=tokens)
        azure.tokens.known = lambda token: token in identity.tokens
        await start(azure.registry)
        return azure

    @pytest.fixture
    async def registry(self, azure, patience):
        host = azure.registry.host
        registry = open_registry(
            RegistrySettings(host, kind="acr"),
            keychain=CloudKeychain({host: Cloud.AZURE}),
            clock=patience.clock,
        )
        yield registry
        await registry.aclose()

    async def test_an_identity_is_exchanged_for_what_the_registry_takes(self, azure, registry):
        image = await push_image(registry.repository("team/app"), tag=Tag("v1"))

        assert azure.storage.resolve("team/app", "v1") == image.digest
        assert azure.tokens.exchanges == 1

    async def test_an_identity_without_rights_is_said_to_have_none(self, azure, registry):
        azure.tokens.known = lambda token: False

        for _ in range(3):
            with pytest.raises(Unauthorized, match="may not use it"):
                await registry.repository("team/app").resolve(Tag("v1"))

        assert azure.tokens.exchanges == 1

    async def test_what_soon_ends_is_exchanged_again(self, azure, registry, patience):
        store_image(azure.storage, "team/app", "v1")

        for _ in range(12):
            await registry.repository("team/app").resolve(Tag("v1"))
            await patience.sleep(1000)

        assert azure.tokens.exchanges == 2


@pytest.mark.parametrize(
    ("cloud", "module"), [("aws", "botocore"), ("gcp", "google"), ("azure", "azure")]
)
def test_a_library_that_is_missing_is_named_with_what_installs_it(cloud, module):
    program = textwrap.dedent(f"""
        import asyncio, sys
        sys.modules[{module!r}] = None
        from replicator.registry.cloud.keychain import CloudKeychain
        from replicator.registry.settings import Cloud
        try:
            asyncio.run(CloudKeychain({{{HOST!r}: Cloud({cloud!r})}}).credentials_for({HOST!r}))
        except Exception as error:
            print(error)
    """)

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    assert f"pip install '.[{cloud}]'` in a checkout" in done.stdout


def test_nothing_of_a_login_is_shown():
    shown = repr(Credentials("AWS", "canary", aws=AwsKeys("AKIA", "canary", "canary")))
    shown += repr(Credentials("", entra_token="canary"))

    assert "canary" not in shown


def test_the_claims_of_a_token_may_be_anything():
    for text in ("", "a.b", "a.b.c", "a.!!.c", f"a.{base64.b64encode(json.dumps([]).encode())}.c"):
        assert claims_of(text) == {}
