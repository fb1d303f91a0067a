"""``replicate token``, ``credential``, ``registry add`` and ``audit`` as people type them."""

from __future__ import annotations

import sqlite3

import pytest

from tests.support.embedded import store_image

KEY = "b25lIGtleSBmb3IgdGhlIHRlc3RzIG9mIGNvbW1hbmRzIQ=="
OTHER_KEY = "YW5vdGhlciBrZXkgZm9yIHRlc3RzIG9mIGNvbW1hbmRzISE="
CANARY = "c4n4ry-secret-of-the-tests"


@pytest.fixture
def keyed(replicate):
    replicate.write_config(KEY, "secret.key")
    replicate.write_config('[service]\nsecret_key_file = "secret.key"\n')
    return replicate


def change(replicate, statement):
    with sqlite3.connect(replicate.folder / "replicator.db") as connection:
        assert connection.execute(statement).rowcount
    connection.close()


async def test_a_token_is_shown_once_listed_without_its_secret_and_revoked(keyed):
    made = await keyed("token", "create", "ci", "--role", "operator", "--rule", "team-*")
    listed = await keyed("token", "list", "--json")
    await keyed("token", "revoke", "ci")
    again = await keyed("token", "revoke", "ci")
    revoked = await keyed("token", "list", "--json")

    assert made.out.startswith("rplt_")
    assert "restart it with the key" in made.err
    assert len(made.out.strip()) == len("rplt_") + 43
    assert made.out.strip() not in listed.out
    (token,) = listed.json["tokens"]
    assert (token["role"], token["rules"], token["revoked_at"]) == ("operator", ["team-*"], None)
    assert revoked.json["tokens"][0]["revoked_at"]
    assert (again.code, again.complaint) == (2, "there is no token 'ci' that counts")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("token", "create", "a b"), "name: use up to 100 letters"),
        (("token", "create", "ci", "--rule", "team-["), 'rules: pattern "team-[": '),
        (("credential", "set", "a/b", "--host", "a.io", "-u", "me"), "name: use up to 100 letters"),
    ],
)
async def test_what_cannot_be_kept_is_told_by_its_field(keyed, words, complaint):
    stdin = ("--password-stdin",) if words[0] == "credential" else ()

    done = await keyed(*words, *stdin, stdin="the password")

    assert done.code == 2
    assert done.complaint.startswith(complaint)


async def test_a_credential_of_another_registry_is_not_replaced(keyed):
    login = ("-u", "me", "--password-stdin")
    await keyed("credential", "set", "robot", "--host", "a.io", *login, stdin="first")

    done = await keyed("credential", "set", "robot", "--host", "b.io", *login, stdin="second")

    assert done.code == 2
    assert "'robot' is for a.io, which would lose it to b.io" in done.complaint


async def test_tokens_need_a_key_and_the_message_says_how_to_make_one(replicate):
    done = await replicate("token", "create", "ci")

    assert done.code == 2
    assert "secret_key_file" in done.complaint
    assert "/dev/urandom" in done.complaint


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("short", "weak"),
        ("a" * 64, "weak"),
        ("changeme-changeme-changeme-0987654321-xyz", "sample"),
        ("", "no secret key"),
    ],
)
async def test_a_key_that_is_no_secret_is_refused(replicate, key, word):
    replicate.variables["REPLICATOR_SECRET_KEY"] = key

    done = await replicate("token", "create", "ci")

    assert done.code == 2
    assert word in done.complaint
    assert not key or key not in done.err


async def set_credential(replicate, host="registry.example.com"):
    done = await replicate(
        *("credential", "set", "harbor", "--host", host, "-u", "robot", "--password-stdin"),
        stdin=CANARY,
    )
    assert done.code == 0, done.err


async def test_a_credential_is_kept_sealed_and_never_shown(keyed):
    await set_credential(keyed)
    listed = await keyed("credential", "list", "--json")
    audit = await keyed("audit", "--json")
    content = (keyed.folder / "replicator.db").read_bytes()

    assert listed.json["credentials"][0]["secret"] == "set"
    assert CANARY not in listed.out + audit.out
    assert CANARY.encode() not in content


async def test_rekey_needs_both_keys_and_then_the_older_one_may_go(keyed):
    await set_credential(keyed)

    keyed.write_config(OTHER_KEY, "secret.key")
    without = await keyed("credential", "rekey")
    keyed.write_config(f"{OTHER_KEY}\n{KEY}\n", "secret.key")
    done = await keyed("credential", "rekey")
    keyed.write_config(OTHER_KEY, "secret.key")
    again = await keyed("credential", "rekey")

    assert without.code == 2
    assert done.out == "1 sealed anew, 0 left with an older key\n"
    assert again.out == "0 sealed anew, 0 left with an older key\n"


async def test_a_registry_that_is_reached_in_another_way_loses_its_secret_and_says_so(keyed):
    await set_credential(keyed)
    added = await keyed(
        "registry", "add", "registry.example.com", "--kind", "harbor", "--credential", "harbor"
    )
    listed = await keyed("registry", "list", "--json")
    same = await keyed(
        *("registry", "add", "registry.example.com", "--credential", "harbor"),
        *("--set", "max_concurrency = 4"),
    )
    moved = await keyed(
        *("registry", "add", "registry.example.com", "--credential", "harbor"),
        *("--endpoint", "evil.example"),
    )
    credentials = await keyed("credential", "list", "--json")
    checked = await keyed("registry", "check", "registry.example.com")

    assert added.code == 0, added.err
    assert listed.json["registries"][0]["login"] == "harbor"
    assert same.err == ""
    assert "cleared" in moved.err
    assert credentials.json["credentials"][0]["secret"] == "cleared"
    assert checked.code != 0


@pytest.mark.parametrize(
    "setting",
    [
        'credential = { username = "u", password_file = "/etc/passwd" }',
        'credential = { username = "u", password = "secret" }',
        'credential = { cloud = "aws" }',
        'ca_file = "/etc/passwd"',
        'proxy = "http://u:p@proxy:1"',
        "unknown = 1",
        "no toml",
    ],
)
async def test_a_kept_registry_names_no_files_and_no_secrets(replicate, setting):
    done = await replicate("registry", "add", "registry.example.com", "--set", setting)

    assert done.code == 2
    assert (await replicate("registry", "list", "--json")).json == {"registries": []}


async def test_a_setting_that_is_no_toml_is_told_what_to_write(replicate):
    done = await replicate("registry", "add", "a.io", "--set", "bandwidth = 50MiB/s")

    assert done.code == 2
    assert done.complaint.startswith("--set:1:")
    assert done.complaint.endswith('text is written in quotes: bandwidth = "…"')


async def test_a_registry_of_the_file_is_changed_there(replicate):
    replicate.write_config('[registries."registry.example.com"]\n')

    done = await replicate("registry", "add", "registry.example.com")

    assert done.code == 2
    assert "configuration file" in done.complaint


async def test_the_audit_says_who_did_what_and_sees_that_it_was_rewritten(replicate):
    for name in ("a", "b", "c"):
        await replicate(
            "rule", "add", name, "--source", f"x.io/{name}", "--destination", "y.io/{name}"
        )
    await replicate("rule", "disable", "b")

    listed = (await replicate("audit", "--json")).json["audit"]
    whole = await replicate("audit", "--verify")
    change(replicate, "UPDATE audit SET actor = 'nobody' WHERE id = 2")
    broken = await replicate("audit", "--verify")

    assert [(each["action"], each["name"]) for each in listed] == [
        *(("change", "b"), ("create", "c"), ("create", "b"), ("create", "a")),
    ]
    assert {each["via"] for each in listed} == {"cli"}
    assert (listed[0]["old"]["enabled"], listed[0]["new"]["enabled"]) == (True, False)
    assert whole.code == 0
    assert broken.code == 1
    assert broken.complaint == "record 2 does not fit behind the one before it"


async def test_a_record_that_was_removed_or_swapped_is_missed(replicate):
    for name in ("a", "b", "c"):
        await replicate(
            "rule", "add", name, "--source", f"x.io/{name}", "--destination", "y.io/{name}"
        )
    change(replicate, "DELETE FROM audit WHERE id = 2")

    assert (await replicate("audit", "--verify")).code == 1


async def test_what_people_ask_of_runs_is_written_down(replicate, start_registry):
    source, destination = await start_registry(), await start_registry()
    store_image(source.storage, "team/app", "1.0")
    replicate.write_config(f"""
[[rules]]
name = "app"
source = "{source.host}/team/app"
destinations = ["{destination.host}/mirror/{{repository}}"]
""")
    await replicate("plan", "--out", "plan.json")
    await replicate("apply-plan", "plan.json")
    run = (await replicate("runs", "list", "--json")).json["runs"][0]["run"]
    await replicate("runs", "retry", run)

    records = (await replicate("audit", "--json")).json["audit"]

    assert [(each["action"], each["kind"], each["name"]) for each in records] == [
        ("retry", "run", run),
        ("apply-plan", "rule", "app"),
        ("create", "rule", "app"),
    ]


async def test_rules_rest_until_the_secret_of_a_registry_that_has_moved_is_set_again(
    keyed, start_registry
):
    before, after = await start_registry(), await start_registry()
    add = ("registry", "add", "registry.example.com", "--credential", "harbor", "--endpoint")
    await keyed(*add, before.url)
    await set_credential(keyed)
    keyed.write_config("""
[service]
secret_key_file = "secret.key"

[[rules]]
name = "app"
source = "registry.example.com/team/app"
destinations = ["oci:copy"]
""")
    store_image(after.storage, "team/app", "1")
    await keyed(*add, after.url)

    resting = await keyed("run")
    asked = len(after.requests)
    await set_credential(keyed)
    again = await keyed("run")

    assert resting.code == 2
    assert resting.complaint.startswith(
        "registry.example.com: the secret of the credential 'harbor' was cleared"
    )
    assert asked == 0
    assert again.code == 0, again.err
