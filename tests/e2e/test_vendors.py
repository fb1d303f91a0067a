"""Rules whose source is a vendor's registry: what a run finds there, and what that costs."""

from __future__ import annotations

import json
import sqlite3
from contextlib import AsyncExitStack, closing

import pytest

from replicator.embedded.memory import MemoryStorage
from replicator.embedded.server import EmbeddedRegistry
from tests.fakes.clouds import GoogleLogins
from tests.fakes.dockerhub import FakeHub
from tests.fakes.ecr import HOST, KEYS, FakeEcr, actions_of
from tests.fakes.google import FakeGoogle, GoogleTokens
from tests.fakes.harbor import FakeHarbor
from tests.fakes.quay import FakeQuay
from tests.support.embedded import Layer, store_image, store_image_of, store_layer

TAGS = 1000


def store_many(storage: MemoryStorage, path: str, number: int = TAGS) -> None:
    """Store that many tags, each of an image of its own."""
    layer: Layer = store_layer(storage, path, "shared")
    for n in range(number):
        store_image_of(storage, path, f"v{n:04}", [layer], label=str(n))


@pytest.fixture
async def stage(replicate):
    """Starts registries, and runs a rule from one to the other."""
    async with AsyncExitStack() as stack:
        yield Stage(replicate, stack)


class Stage:
    def __init__(self, replicate, stack):
        self._replicate = replicate
        self._stack = stack
        self.variables = replicate.variables
        self.database = replicate.folder / "replicator.db"

    async def start(self, registry=None):
        return await self._stack.enter_async_context(registry or EmbeddedRegistry())

    async def start_logins(self):
        """Start what google-auth takes for the metadata service of its machine."""
        logins = GoogleLogins()
        await self.start(logins.server)
        self.variables.update(logins.variables())
        return logins

    def write_rule(self, source, destination, *, registries="", options=""):
        self._replicate.write_config(
            f"""
            {registries}

            [[rules]]
            name = "rule"
            source = "{source}"
            destinations = ["{destination}"]
            referrers = false
            {options}
            """
        )

    async def run(self, *arguments):
        """Run the rule; return the exit code and its report."""
        done = await self._replicate("run", "--report", "-", *arguments)
        return done.code, done.json["runs"][0]


def entry(host, **settings):
    """The table of a registry."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    return "\n".join([f'[registries."{host}"]', *lines])


async def test_a_namespace_at_google_is_found_and_copied(stage):
    google = FakeGoogle()
    source = await stage.start(google.registry)
    for path in ("project/docker/a", "project/docker/b/c"):
        store_image(google.storage, path, "v1")
    destination = await stage.start()
    stage.write_rule(
        f"{source.host}/project/docker/**",
        f"{destination.host}/{{repository}}",
        registries=entry(source.host, kind="google"),
    )

    code, report = await stage.run()

    assert (code, report["counts"]["copied"]) == (0, 2)
    assert destination.storage.repositories() == ["project/docker/a", "project/docker/b/c"]


async def test_a_login_of_google_is_found_at_its_metadata_service(stage):
    logins = await stage.start_logins()
    tokens = GoogleTokens({"oauth2accesstoken": "ya29.token-1"}, realm="/v2/token")
    tokens.private = {"project"}
    google = FakeGoogle(tokens)
    source = await stage.start(google.registry)
    store_image(google.storage, "project/docker/app", "v1")
    destination = await stage.start()
    login = 'credential = { cloud = "gcp" }'
    stage.write_rule(
        f"{source.host}/project/docker/app",
        f"{destination.host}/{{repository}}",
        registries="\n".join([entry(source.host, kind="google"), login]),
    )

    code, report = await stage.run()

    assert (code, report["counts"]["copied"]) == (0, 1), report
    assert logins.tokens == ["ya29.token-1"]


class TestDockerHub:
    @pytest.fixture
    async def hub(self, stage):
        hub = FakeHub()
        await stage.start(hub.registry)
        await stage.start(hub.site)
        return hub

    def write_rule(self, stage, hub, source, destination, **settings):
        stage.write_rule(
            source,
            f"{destination.host}/{{repository}}",
            registries=entry("docker.io", **hub.settings(), **settings),
        )

    async def test_a_namespace_is_found_and_copied(self, stage, hub):
        for name in ("library/alpine", "library/debian", "other/app"):
            store_image(hub.storage, name, "v1")
        destination = await stage.start()
        self.write_rule(stage, hub, "docker.io/library/*", destination)

        code, report = await stage.run()

        assert (code, report["counts"]["copied"]) == (0, 2)
        assert destination.storage.repositories() == ["library/alpine", "library/debian"]

    async def test_what_the_pull_limit_does_not_allow_is_deferred_and_the_rest_goes_on(
        self, stage, hub
    ):
        for number in range(10):
            store_image(hub.storage, "library/app", f"v{number}", seed=f"{number}")
        destination = await stage.start()
        self.write_rule(stage, hub, "docker.io/library/app", destination, pull_reserve=5)
        hub.pulls = 9

        code, report = await stage.run()

        assert code == 3
        assert report["state"] == "partial"
        assert (report["counts"]["copied"], report["counts"]["deferred"]) == (4, 6)
        assert report["counts"]["failed"] == 0
        assert {tag["class"] for tag in report["tags"]} == {"deferred"}
        assert hub.pulls == 5
        # A later run: what was heard a minute ago is no longer believed.
        with closing(sqlite3.connect(stage.database)) as database, database:
            database.execute("UPDATE pull_budget SET noted_at = datetime(noted_at, '-1 hour')")
        hub.pulls = 100
        code, report = await stage.run()
        assert (code, report["counts"]["copied"]) == (0, 6)

    async def test_a_run_that_can_do_nothing_for_the_pull_limit_is_not_failed(self, stage, hub):
        store_image(hub.storage, "library/app", "v1")
        destination = await stage.start()
        self.write_rule(stage, hub, "docker.io/library/app", destination)
        hub.pulls = 0

        code, report = await stage.run()

        assert (code, report["state"], report["counts"]["deferred"]) == (3, "partial", 1)


class TestQuay:
    @pytest.fixture
    async def quay(self, stage):
        quay = FakeQuay()
        await stage.start(quay.registry)
        return quay

    @pytest.mark.parametrize("variable", ["DOCKER_CONFIG", "REGISTRY_AUTH_FILE"])
    async def test_robots_of_two_organisations_are_found_where_docker_and_podman_keep_logins(
        self, stage, tmp_path, variable
    ):
        robots = {"one+sync": "first", "two+sync": "second"}
        quay = FakeQuay(robots, organisations=("one", "two"), private=("one", "two"))
        quay.tokens.creators = {"two+sync"}
        quay.tokens.only_own = True
        host = (await stage.start(quay.registry)).host
        logins = {
            f"{host}/{name.partition('+')[0]}": {"username": name, "password": password}
            for name, password in robots.items()
        }
        file = tmp_path / "config.json"
        file.write_text(json.dumps({"auths": logins}))
        stage.variables[variable] = str(tmp_path if variable == "DOCKER_CONFIG" else file)
        image = store_image(quay.storage, "one/app", "v1")
        stage.write_rule(f"{host}/one/app", f"{host}/two/app", registries=entry(host, kind="quay"))

        code, report = await stage.run()

        assert (code, report["counts"]["copied"]) == (0, 1), report
        assert quay.storage.resolve("two/app", "v1") == image.digest

    async def test_a_tag_that_moves_and_takes_its_old_digest_away_is_copied_as_it_is_now(
        self, stage, quay
    ):
        store_image(quay.storage, "org/app", "v1", seed="old")
        destination = await stage.start()
        host = quay.registry.host
        stage.write_rule(
            f"{host}/org/app",
            f"{destination.host}/{{repository}}",
            registries=entry(host, kind="quay"),
        )

        def move():
            old = quay.storage.resolve("org/app", "v1")
            store_image(quay.storage, "org/app", "v1", seed="new")
            quay.storage.delete_manifest("org/app", old)

        quay.after_page = move
        code, report = await stage.run()

        assert (code, report["counts"]["copied"]) == (0, 1)
        new = quay.storage.resolve("org/app", "v1")
        assert destination.storage.resolve("org/app", "v1") == new


class TestHarbor:
    @pytest.fixture
    async def harbor(self, stage):
        harbor = FakeHarbor({"admin": "Harbor12345"})
        await stage.start(harbor.registry)
        return harbor

    @pytest.mark.parametrize(("create", "expected"), [("if-missing", 0), ("on-push", 1)])
    async def test_a_project_is_made_at_the_destination_if_that_is_wanted(
        self, stage, harbor, create, expected
    ):
        source = await stage.start()
        for number in range(3):
            store_image(source.storage, f"team/app{number}", "v1", seed=f"{number}")
        host = harbor.registry.host
        login = 'credential = { username = "admin", password = "Harbor12345" }'
        stage.write_rule(
            f"{source.host}/team/*",
            f"{host}/{{repository}}",
            registries="\n".join([entry(host, kind="harbor", create=create), login]),
        )

        code, report = await stage.run()

        assert code == expected
        assert ("team" in harbor.projects) == (expected == 0)
        if expected:
            assert {tag["class"] for tag in report["tags"]} == {"not_found"}
            assert all('create = "if-missing"' in tag["message"] for tag in report["tags"])


def aws_variables(ecr):
    """Where botocore finds keys, and what it takes for the API of AWS."""
    return {
        "AWS_ACCESS_KEY_ID": KEYS.access_key,
        "AWS_SECRET_ACCESS_KEY": KEYS.secret_key,
        "AWS_ENDPOINT_URL_ECR": ecr.site.url,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def aws_entry(ecr, **settings):
    return "\n".join([entry(HOST, **ecr.settings(), **settings), 'credential = { cloud = "aws" }'])


class TestEcr:
    """The login is found where AWS's own tools find it, by botocore, and its API plays along."""

    @pytest.fixture
    async def ecr(self, stage):
        ecr = FakeEcr()
        for server in ecr.servers:
            await stage.start(server)
        stage.variables |= aws_variables(ecr)
        return ecr

    async def test_repositories_are_made_at_the_destination_and_filled(self, stage, ecr):
        source = await stage.start()
        for number in range(3):
            store_image(source.storage, f"team/app{number}", "v1", seed=f"{number}")
        stage.write_rule(
            f"{source.host}/team/*",
            f"{HOST}/mirror/{{name}}",
            registries=aws_entry(ecr, create="if-missing"),
        )

        code, report = await stage.run()

        assert (code, report["counts"]["copied"]) == (0, 3), report
        assert ecr.repositories.created == {f"mirror/app{number}" for number in range(3)}
        assert actions_of(ecr.api)["GetAuthorizationToken"] == 1


PRUNE = 'prune = "mirror"\nprune_after = "0s"'


async def run_until_gone(stage, storage, path):
    """Copy two tags, take one away at the source, and run twice; return the last report."""
    for tag in ("v1", "v2"):
        store_image(storage, path, tag, seed=tag)
    await stage.run()
    storage.delete_tag(path, "v1")
    await stage.run()
    _, report = await stage.run()
    return report


@pytest.mark.parametrize("pull_through", [[], ["team"], ["*"]])
async def test_nothing_is_pruned_on_the_word_of_a_pull_through_cache(stage, pull_through):
    source, destination = await stage.start(), await stage.start()
    stage.write_rule(
        f"{source.host}/team/app",
        f"{destination.host}/app",
        registries="\n".join(
            [
                entry(source.host, pull_through=pull_through),
                entry(destination.host, kind="distribution"),
            ]
        ),
        options=PRUNE,
    )

    report = await run_until_gone(stage, source.storage, "team/app")

    assert report["counts"]["pruned"] == (0 if pull_through else 1)
    assert destination.storage.tags("app") == (["v1", "v2"] if pull_through else ["v2"])


async def start_destination(stage, kind):
    """Start a fake with a project or organisation ``mirror``; return it, its host and its entry."""
    users = {"alice": "wonderland"}
    if kind == "ecr":
        ecr = FakeEcr()
        for server in ecr.servers:
            await stage.start(server)
        stage.variables |= aws_variables(ecr)
        return ecr, HOST, aws_entry(ecr, create="if-missing")
    if kind == "harbor":
        fake = FakeHarbor(users, projects=("mirror",))
    else:
        fake = FakeQuay(users, organisations=("mirror",))
        fake.tokens.creators = {"alice"}
    host = (await stage.start(fake.registry)).host
    login = 'credential = { username = "alice", password = "wonderland" }'
    return fake, host, f"{entry(host, kind=kind)}\n{login}"


@pytest.mark.parametrize("kind", ["ecr", "harbor", "quay"])
async def test_a_tag_that_is_gone_is_removed_and_nothing_else(stage, kind):
    fake, host, table = await start_destination(stage, kind)
    source = await stage.start()
    stage.write_rule(
        f"{source.host}/team/app", f"{host}/mirror/app", registries=table, options=PRUNE
    )

    report = await run_until_gone(stage, source.storage, "team/app")

    assert report["counts"]["pruned"] == 1, report
    assert fake.storage.tags("mirror/app") == ["v2"]
