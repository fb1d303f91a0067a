"""Against real programs: what is a helper is decided by what it prints."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from replicator.errors import ConfigError
from replicator.registry.credential_helpers import CredentialHelper
from replicator.registry.docker_config import DockerKeychain, erase_login, store_login
from replicator.registry.settings import Credentials

HOST = "registry.example.com"
ALICE = Credentials("alice", "wonderland")

# Keeps entries as files named after the server, in the folder $STORE.
KEEPER = r"""#!/bin/sh
read -r line
case "$1" in
get) file="$STORE/$(echo "$line" | tr '/:' '__')"
  if [ ! -f "$file" ]; then echo "credentials not found in native keychain"; exit 1; fi
  cat "$file" ;;
store) server=$(echo "$line" | sed 's/.*"ServerURL": *"\([^"]*\)".*/\1/')
  echo "$line" > "$STORE/$(echo "$server" | tr '/:' '__')" ;;
erase) rm "$STORE/$(echo "$line" | tr '/:' '__')" ;;
esac
"""


class Programs:
    """A folder of helpers, which alone is searched besides the system's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "bin"
        self.store = folder / "store"
        self.folder.mkdir()
        self.store.mkdir()

    def add(self, suffix: str, script: str) -> CredentialHelper:
        program = self.folder / f"docker-credential-{suffix}"
        program.write_text(script)
        program.chmod(0o755)
        return self.helper(suffix)

    def helper(self, suffix: str) -> CredentialHelper:
        return CredentialHelper(suffix, environment=self.environment)

    @property
    def environment(self) -> Mapping[str, str]:
        path = f"{self.folder}{os.pathsep}{os.environ['PATH']}"
        return {"PATH": path, "STORE": str(self.store)}

    def put(self, server: str, username: str, secret: str) -> None:
        entry = {"ServerURL": server, "Username": username, "Secret": secret}
        (self.store / server.translate(str.maketrans("/:", "__"))).write_text(json.dumps(entry))


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


class TestProtocol:
    async def test_what_is_stored_is_got_until_it_is_erased(self, programs):
        helper = programs.add("keeper", KEEPER)

        await helper.store(HOST, ALICE)

        assert await helper.get(HOST) == ALICE
        assert await helper.erase(HOST)
        assert await helper.get(HOST) is None

    async def test_an_identity_token_has_a_user_name_of_its_own(self, programs):
        helper = programs.add("keeper", KEEPER)

        await helper.store(HOST, Credentials("alice", identity_token="refresh"))

        assert await helper.get(HOST) == Credentials("", identity_token="refresh")
        assert '"<token>"' in (programs.store / HOST).read_text()

    async def test_what_it_complains_of_on_standard_output_is_said(self, programs):
        helper = programs.add("sad", "#!/bin/sh\nprintf 'no\\n\\033[31msession  today'; exit 1\n")

        with pytest.raises(
            ConfigError, match=r"^docker-credential-sad failed: no \[31msession today$"
        ):
            await helper.get(HOST)

    @pytest.mark.parametrize(
        "answer",
        [
            "",
            "null",
            "[]",
            "{}",
            '{"Username":"alice"}',
            '{"Username":"alice","Secret":""}',
            '{"Username":7,"Secret":"canary"}',
            '"canary"',
            "canary",
        ],
    )
    async def test_an_answer_that_is_none_is_not_repeated(self, programs, answer):
        helper = programs.add("odd", f"#!/bin/sh\ncat > /dev/null\necho '{answer}'\n")

        with pytest.raises(
            ConfigError, match="did not answer with a user name and a secret"
        ) as failure:
            await helper.get(HOST)

        assert "canary" not in str(failure.value)

    async def test_a_program_that_is_not_there_is_said(self, programs):
        with pytest.raises(
            ConfigError, match="docker-credential-missing cannot be started: No such file"
        ):
            await programs.helper("missing").get(HOST)

    async def test_one_that_does_not_read_does_no_harm(self, programs):
        helper = programs.add("deaf", '#!/bin/sh\necho \'{"Username":"a","Secret":"b"}\'\n')

        assert await helper.get("x" * 100_000) == Credentials("a", "b")

    @pytest.mark.parametrize(
        "suffix", ["", ".", "../evil", "a/b", "a;b", "$(id)", "a b", "a\0", "-x", "é"]
    )
    def test_a_name_that_leads_elsewhere_is_refused(self, suffix):
        with pytest.raises(ConfigError, match="cannot be a credential helper's name"):
            CredentialHelper(suffix)

    async def test_no_shell_sees_what_is_sent(self, programs):
        helper = programs.add("keeper", KEEPER)

        assert await helper.get("$(touch $STORE/pwned); touch $STORE/pwned") is None

        assert list(programs.store.iterdir()) == []

    async def test_when_the_caller_gives_up_nothing_is_left_running(self, programs):
        # Whoever the program starts keeps the pipe open; it ends when all of them have.
        pipe = programs.store / "alive"
        os.mkfifo(pipe)
        script = "#!/bin/sh\nexec 3> $STORE/alive\necho started >&3\nsleep 600 &\nwait\n"
        asked = asyncio.create_task(programs.add("slow", script).get(HOST))
        alive = await asyncio.to_thread(pipe.open)
        with alive:
            assert await asyncio.to_thread(alive.readline) == "started\n"

            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked

            assert await asyncio.to_thread(alive.read) == ""


class TestDockerConfig:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "config.json"

    def login(self, password: str) -> dict[str, str]:
        return {"username": "alice", "password": password}

    async def test_the_hosts_own_helper_comes_before_the_common_one_and_the_file(
        self, path, programs
    ):
        programs.add("own", KEEPER)
        programs.add("common", "#!/bin/sh\nexit 2\n")
        programs.put(HOST, "alice", "from own")
        path.write_text(
            json.dumps(
                {
                    "auths": {HOST: self.login("from file")},
                    "credHelpers": {HOST: "own"},
                    "credsStore": "common",
                }
            )
        )
        keychain = DockerKeychain(path, environment=programs.environment)

        assert await keychain.credentials_for(HOST) == Credentials("alice", "from own")

    async def test_what_the_helper_does_not_have_may_be_in_the_file(self, path, programs):
        programs.add("keeper", KEEPER)
        path.write_text(
            json.dumps({"auths": {HOST: self.login("from file")}, "credsStore": "keeper"})
        )
        keychain = DockerKeychain(path, environment=programs.environment)

        assert await keychain.credentials_for(HOST) == Credentials("alice", "from file")
        assert await keychain.credentials_for("quay.io") is None

    async def test_an_empty_helper_stands_for_the_file(self, path, programs):
        path.write_text(
            json.dumps(
                {
                    "auths": {HOST: self.login("from file")},
                    "credHelpers": {HOST: ""},
                    "credsStore": "missing",
                }
            )
        )
        keychain = DockerKeychain(path, environment=programs.environment)

        assert await keychain.credentials_for(HOST) == Credentials("alice", "from file")

    async def test_docker_hub_is_asked_for_by_the_name_that_docker_uses(self, path, programs):
        programs.add("keeper", KEEPER)
        programs.put("https://index.docker.io/v1/", "alice", "hub")
        keychain = DockerKeychain(path, environment=programs.environment)

        for config in (
            {"credsStore": "keeper"},
            {"credHelpers": {"docker.io": "keeper"}},
            {"credHelpers": {"https://index.docker.io/v1/": "keeper"}},
        ):
            path.write_text(json.dumps(config))
            assert await keychain.credentials_for("docker.io") == Credentials("alice", "hub")

    async def test_a_helper_that_fails_makes_nobody_anonymous(self, path, programs):
        programs.add("sad", "#!/bin/sh\necho locked\nexit 1\n")
        path.write_text(json.dumps({"credsStore": "sad"}))

        with pytest.raises(ConfigError, match="docker-credential-sad failed: locked"):
            await DockerKeychain(path, environment=programs.environment).credentials_for(HOST)

    async def test_a_login_is_stored_with_the_helper_and_leaves_the_file(self, path, programs):
        programs.add("keeper", KEEPER)
        path.write_text(json.dumps({"auths": {HOST: self.login("old")}, "credsStore": "keeper"}))

        await store_login(path, HOST, ALICE, environment=programs.environment)

        assert json.loads(path.read_text()) == {"auths": {}, "credsStore": "keeper"}
        keychain = DockerKeychain(path, environment=programs.environment)
        assert await keychain.credentials_for(HOST) == ALICE

    async def test_a_login_is_erased_with_the_helper_and_in_the_file(self, path, programs):
        programs.add("keeper", KEEPER)
        programs.put(HOST, "alice", "x")
        path.write_text(json.dumps({"auths": {HOST: self.login("old")}, "credsStore": "keeper"}))

        assert await erase_login(path, HOST, environment=programs.environment)

        assert json.loads(path.read_text()) == {"auths": {}, "credsStore": "keeper"}
        assert list(programs.store.iterdir()) == []
