"""What a user sees who made a mistake: one line with the file, the place and the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from replicator.config import load_config
from replicator.errors import ConfigError

RULE = """
[[rules]]
name = "base"
source = "docker.io/library/alpine"
destinations = ["registry.example.com/alpine"]
"""
REGISTRY = '[registries."docker.io"]\n'
CREDENTIAL = f"{REGISTRY}credential = "
CHANNEL = '[[notify]]\nname = "ops"\nkind = "slack"\nurl = "https://chat.example.com/x"\n'
OIDC = (
    '[service.oidc]\nissuer = "https://login.example.com"\nclient_id = "replicate"\n'
    'url = "https://replicate.example.com"\n'
)

SYNTAX = [
    ("[service\n", "config.toml:1:9: Expected ']' at the end of a table declaration"),
    ("\n[service]\ndatabase sqlite\n", "config.toml:3:10: Expected '=' after a key"),
    ('[service]\ndatabase = "sqlite', "config.toml:2:19: Unterminated string"),
    ("[service]\nconcurrency = 08\n", "config.toml:2:16: Expected newline or end of document"),
    ("a = 1\na = 2\n", "config.toml:2:6: Cannot overwrite a value"),
    (f"x = {'9' * 5000}", "config.toml: Exceeds the limit"),
    (f"x = {'[' * 5000}", "config.toml"),
    ('service: {database: "x"}\n', "config.toml:1:8: Expected '=' after a key"),
]

MISTAKES = [
    # Unknown keys and tables.
    ("[servise]\n", 'servise: unknown key; did you mean "service"?'),
    ("[rule]\n", 'rule: unknown key; did you mean "rules"?'),
    ("[zzz]\n", "zzz: unknown key; known are service, registries, rules, notify"),
    ("[service]\ndatabse = 1\n", 'service.databse: unknown key; did you mean "database"?'),
    (
        f"{REGISTRY}bandwith = 0\n",
        'registries."docker.io".bandwith: unknown key; did you mean "bandwidth"?',
    ),
    (
        f'{REGISTRY}username = "me"\n',
        'registries."docker.io".username: unknown key; it belongs into "credential"',
    ),
    (
        f'{RULE}target = "x"\n',
        'rule "base": target: unknown key; known are name, source, destinations, repositories, '
        "tags, platforms, referrers, pruned_referrers, foreign_layers, overwrite, immutable, "
        "prune, prune_after, max_prune, allow_empty, schedule, timezone, jitter, maintenance, "
        "objective, enabled",
    ),
    (
        '[service]\nlisten = "8080"\n',
        'service.listen: expected an address such as "127.0.0.1:8080" or "[::]:8080", '
        'got the text "8080"',
    ),
    (
        '[service]\nlisten = "127.0.0.1:70000"\n',
        "service.listen: a port is at most 65535, not 70000",
    ),
    (f'{RULE}semver = ">=1"\n', 'rule "base": semver: unknown key; it belongs into "tags"'),
    (
        f'{RULE}tags = {{ includes = ["1"] }}\n',
        'rule "base": tags.includes: unknown key; did you mean "include"?',
    ),
    (
        f'{REGISTRY}"my key" = 1\n',
        'registries."docker.io"."my key": unknown key; known are kind, endpoint, api_endpoint, '
        "credential, plain_http, insecure, ca_file, cert_file, key_file, proxy, mirrors, "
        "resolve_tags, pull_through, max_concurrency, max_blobs, requests_per_second, bandwidth, "
        "retries, longest_wait, pull_reserve, create, timeouts, max_manifest_size, token_origins, "
        "upload_origins, allowed_networks, webhook_secret_file, webhook_secret_env",
    ),
    (
        f'{REGISTRY}pull_through = ["**"]\n',
        "registries.\"docker.io\".pull_through[1]: '**' is not a repository name; "
        'write "*" for all paths',
    ),
    # Tables that are written in another way.
    ("service = 1\n", "service: expected a table, got a number; write [service]"),
    (
        "[rules]\n",
        "rules: expected a list of tables, got a table; "
        "write [[rules]], with two brackets, above each rule",
    ),
    (
        'rules = ["base"]\n',
        'rules[1]: expected a table, got text; write [[rules]] and below it name = "…"',
    ),
    (
        "[[registries]]\n",
        'registries: expected tables, got a list; write [registries."HOST"] above each',
    ),
    (
        '[registries.docker.io]\nkind = "dockerhub"\n',
        'registries.docker.io: a host is written in quotes: [registries."docker.io"]',
    ),
    (
        "[registries.registry.example.com]\ninsecure = true\n",
        "registries.registry.example.com: a host is written in quotes: "
        '[registries."registry.example.com"]',
    ),
    (
        f'{RULE}tags = ["3.20"]\n',
        'rule "base": tags: expected a table, got a list; write tags = { include = ["3.*"] }',
    ),
    # Values of a wrong type.
    (
        f'{REGISTRY}max_concurrency = "16"\n',
        'registries."docker.io".max_concurrency: expected a whole number, got the text "16"; '
        "write 16 without quotes",
    ),
    (
        f"{REGISTRY}max_concurrency = 1.5\n",
        'registries."docker.io".max_concurrency: expected a whole number, got the number 1.5',
    ),
    (
        f"{REGISTRY}max_blobs = true\n",
        'registries."docker.io".max_blobs: expected a whole number, got true',
    ),
    (
        f'{REGISTRY}insecure = "True"\n',
        'registries."docker.io".insecure: expected true or false, got the text "True"; '
        "write true without quotes",
    ),
    (
        f"{RULE}referrers = 2026-03-14\n",
        'rule "base": referrers: expected true or false, got the time 2026-03-14',
    ),
    (
        f'{RULE}platforms = "linux/amd64"\n',
        'rule "base": platforms: expected a list, got the text "linux/amd64"; '
        'write ["linux/amd64"]',
    ),
    (
        f"{RULE}tags = {{ include = [3.20] }}\n",
        'rule "base": tags.include[1]: expected text in quotes, got the number 3.2',
    ),
    (
        '[[rules]]\nname = 7\nsource = "a"\n',
        "rules[1]: name: expected text in quotes, got the number 7",
    ),
    # Values that cannot be.
    (
        f'{REGISTRY}bandwidth = "50M"\n',
        'registries."docker.io".bandwidth: expected bytes such as "50MiB/s", got the text "50M"; '
        "units are B, kB, MB, GB, KiB, MiB, GiB",
    ),
    (
        f'{REGISTRY}bandwidth = [{{ hours = "08:00-18:00" }}]\n',
        'registries."docker.io".bandwidth[1]: has no limit; add limit = "10MiB/s", or 0 for none',
    ),
    (
        f'{REGISTRY}bandwidth = [{{ limit = 0, timezone = "UTC" }}]\n',
        'registries."docker.io".bandwidth[1]: a timezone is of hours; add hours, or leave it out',
    ),
    (
        f'{REGISTRY}bandwidth = [{{ limit = 0, hours = "8-18" }}]\n',
        'registries."docker.io".bandwidth[1].hours: "8-18" is not a window; '
        'write for example "22:00-06:00" or "Mon-Fri 08:00-18:00"',
    ),
    (
        f'{REGISTRY}bandwidth = [{{ limit = 0 }}, {{ limit = 0, hours = "08:00-18:00" }}]\n',
        'registries."docker.io".bandwidth[1]: has no hours, so that what follows never counts; '
        "the first that fits does: put it last",
    ),
    (
        f'{REGISTRY}bandwidth = ["50MiB/s"]\n',
        'registries."docker.io".bandwidth[1]: expected a table, got text; '
        'write { hours = "08:00-18:00", timezone = "Europe/Berlin", limit = "10MiB/s" }',
    ),
    (
        f"{REGISTRY}bandwidth = 5000\n",
        'registries."docker.io".bandwidth: expected bytes such as "50MiB/s", got the number 5000; '
        "units are B, kB, MB, GB, KiB, MiB, GiB",
    ),
    (
        '[service]\nconfirm_after = "1 day"\n',
        'service.confirm_after: expected a duration such as "90s", "1h30m" or "7d", '
        'got the text "1 day"',
    ),
    (
        "[service]\nconfirm_after = 30\n",
        "service.confirm_after: expected a duration with its unit, got the number 30; "
        'write "30s" for seconds',
    ),
    (
        '[service]\nconfirm_after = "99999w"\n',
        'service.confirm_after: expected less than a hundred years, got the text "99999w"',
    ),
    (
        "[service]\nconfirm_share = 20\n",
        "service.confirm_share: 20 is too much; the most is 1",
    ),
    ("[service]\nconcurrency = 0\n", "service.concurrency: 0 is too little; the least is 1"),
    (
        f'{REGISTRY}timeouts = {{ idle = "0s" }}\n',
        'registries."docker.io".timeouts.idle: must be longer than nothing',
    ),
    (
        f'{REGISTRY}kind = "docker"\n',
        'registries."docker.io".kind: unknown kind "docker"; known are acr, aliyun, artifactory, '
        "distribution, dockerhub, ecr, generic, ghcr, gitea, gitlab, google, harbor, msr, nexus, "
        "quay, zot",
    ),
    (
        f'{REGISTRY}ca_file = "no-such.pem"\n',
        'registries."docker.io".ca_file: there is no file FOLDER/no-such.pem',
    ),
    (
        f'{REGISTRY}key_file = "config.toml"\n',
        'registries."docker.io".key_file: a key needs its certificate; add cert_file',
    ),
    (
        f'{REGISTRY}max_manifest_size = "64MiB"\n',
        'registries."docker.io".max_manifest_size: "64MiB" is not between 1B and 16MiB',
    ),
    (
        f'{REGISTRY}mirrors = ["mirror.example.com"]\n',
        'registries."docker.io".mirrors[1]: expected a URL such as "https://mirror.example.com", '
        'got the text "mirror.example.com"',
    ),
    (
        f'{REGISTRY}token_origins = ["https://auth.example.com/token"]\n',
        'registries."docker.io".token_origins[1]: expected scheme and host alone, '
        'as in "https://auth.example.com", got the text "https://auth.example.com/token"',
    ),
    (
        f'{REGISTRY}allowed_networks = ["10.0.0.1/8"]\n',
        'registries."docker.io".allowed_networks[1]: expected a network such as "10.0.0.0/8", '
        'got the text "10.0.0.1/8"',
    ),
    (
        f'{REGISTRY}proxy = "ftp://me:s3cret@proxy"\n',
        'registries."docker.io".proxy: expected a URL such as "http://proxy.example.com:3128"',
    ),
    (
        '[registries."https://docker.io"]\n',
        'registries."https://docker.io": expected the host as references have it, such as '
        '"docker.io" or "localhost:5000"; the address of its API goes into endpoint',
    ),
    (
        '[registries."docker.io"]\n[registries."index.docker.io"]\n',
        'registries."index.docker.io": this is docker.io again; put both into one table',
    ),
    (
        '[registries."no host"]\n',
        "registries.\"no host\": 'no host' is not a registry host",
    ),
    (
        f'{RULE}overwrite = "sometimes"\n',
        'rule "base": overwrite: expected one of "always", "never", "if-ours", '
        'got the text "sometimes"',
    ),
    (
        f"{RULE}prune = true\n",
        'rule "base": prune: expected one of "off", "mirror", got true',
    ),
    (
        f'{RULE}platforms = ["amd64"]\n',
        "rule \"base\": platforms[1]: 'amd64' is not a platform; write os/architecture[/variant]",
    ),
    (
        f"{RULE}tags = {{ latest = 0 }}\n",
        'rule "base": tags.latest: 0 is too little; the least is 1',
    ),
    (f'{RULE}schedule = ""\n', 'rule "base": schedule: is empty; write something, or leave it out'),
    (
        '[service]\ndatabase = "mysql://me:s3cret@host/db"\n',
        "service.database: expected sqlite:///FILE or postgresql://USER@HOST/NAME, "
        "got something that begins with 'mysql'",
    ),
    # Credentials.
    (
        f'{CREDENTIAL}"me:s3cret"\n',
        'registries."docker.io".credential: expected a table, got text; '
        'write credential = { username = "NAME", password_file = "FILE" }',
    ),
    (
        f'{CREDENTIAL}{{ username = "me" }}\n',
        'registries."docker.io".credential: has no secret; '
        "add password_env, password_file, identity_token_file, cloud or stored",
    ),
    (
        f'{CREDENTIAL}{{ password_env = "X" }}\n',
        'registries."docker.io".credential: a password needs a username; add it',
    ),
    (
        f'{CREDENTIAL}{{ username = "me", password_env = "X", password_file = "y" }}\n',
        'registries."docker.io".credential: password_env and password_file say the same; '
        "keep one of them",
    ),
    (
        f'{CREDENTIAL}{{ cloud = "gcp", username = "me" }}\n',
        'registries."docker.io".credential: cloud says who logs in; leave username out',
    ),
    (
        f'{CREDENTIAL}{{ username = "me", password_env = "X", identity_token_file = "y" }}\n',
        'registries."docker.io".credential: password_env and identity_token_file are two ways to '
        "log in; keep one of them",
    ),
    (
        '[registries."quay.io/team"]\n'
        'credential = { username = "me", password = "s3cret", identity_token = "s3cret" }\n',
        'registries."quay.io/team".credential: password and identity_token are two ways to '
        "log in; keep one of them",
    ),
    (
        f'{CREDENTIAL}{{ stored = "hub", password_file = "y", username = "me" }}\n',
        'registries."docker.io".credential: stored and password_file are two ways to log in; '
        "keep one of them",
    ),
    (
        f'{CREDENTIAL}{{ cloud = "gcp", stored = "hub" }}\n',
        'registries."docker.io".credential: cloud and stored are two ways to log in; '
        "keep one of them",
    ),
    (
        f'{CREDENTIAL}{{ cloud = "google" }}\n',
        'registries."docker.io".credential.cloud: expected one of "aws", "gcp", "azure", '
        'got the text "google"',
    ),
    (
        f'{CREDENTIAL}{{ username = "me", password = 5678 }}\n',
        'registries."docker.io".credential.password: expected text in quotes',
    ),
    (
        '[registries."quay.io/team"]\nkind = "quay"\n',
        'registries."quay.io/team".kind: unknown key; known are credential',
    ),
    (
        '[registries."quay.io/team"]\n',
        'registries."quay.io/team": an entry for a path is for its credential; add it',
    ),
    # Entries of lists are counted from 1, whichever list it is.
    (
        '[[rules]]\nname = "a"\nsource = "b"\ndestinations = ["c.io/d"]\n[[rules]]\nname = 5\n',
        "rules[2]: name: expected text in quotes, got the number 5",
    ),
    (
        '[[rules]]\nname = "base"\nsource = "a"\ndestinations = ["c.io/d", 5]\n',
        'rule "base": destinations[2]: expected text in quotes, got the number 5',
    ),
    (
        f'{CHANNEL}[[notify]]\nkind = "slack"\n',
        'notify[2]: name: is missing; write for example [[notify]] and below it name = "…", '
        'kind = "slack"',
    ),
    (
        f'{CHANNEL}on = ["failure", "lag", "success"]\n',
        'notify "ops": on[3]: expected one of "failure", "recovery", "lag", "change", '
        'got the text "success"',
    ),
    (
        f'{CHANNEL}rules = ["base-*", "[a"]\n',
        'notify "ops": rules: pattern "[a": the "[" has no "]"',
    ),
    (
        f'{OIDC}grants = [{{ value = "a", role = "admin" }}, {{ value = "b" }}]\n',
        'service.oidc.grants[2].role: is missing; write { value = "platform", role = "admin" }',
    ),
    (
        '[registries."quay.io/"]\nkind = "quay"\n',
        'registries."quay.io/": expected the host as references have it, such as "docker.io" or '
        '"localhost:5000"; the address of its API goes into endpoint',
    ),
    # Rules as a whole.
    (f"{RULE}{RULE}", 'rule "base": two rules have this name; rename one'),
    ('[[rules]]\nsource = "a"\n', 'rules[1]: has no name; add name = "…"'),
    (
        '[[rules]]\nname = "base"\nsource = "a"\n',
        'rule "base": destinations: is missing; every rule has source and destinations',
    ),
    (
        '[[rules]]\nname = "base"\nsource = "a"\ndestinations = []\n',
        'rule "base": destinations: is missing; every rule has source and destinations',
    ),
]


def message_of(folder: Path, content: str) -> str:
    """Return the error for a config.toml with *content*, with the folder's name taken out."""
    file = folder / "config.toml"
    file.write_text(content)
    with pytest.raises(ConfigError) as mistake:
        load_config(file, {})
    return str(mistake.value).replace(f"{folder}/config.toml", "config.toml", 1)


@pytest.mark.parametrize(("content", "message"), MISTAKES)
def test_a_mistake_is_named_with_its_place_and_the_way_out(
    tmp_path: Path, content: str, message: str
) -> None:
    expected = message.replace("FOLDER", str(tmp_path))

    assert message_of(tmp_path, content) == f"config.toml: {expected}"


@pytest.mark.parametrize(("content", "beginning"), SYNTAX)
def test_what_is_no_toml_is_shown_with_line_and_column(
    tmp_path: Path, content: str, beginning: str
) -> None:
    assert message_of(tmp_path, content).startswith(beginning)


def test_bytes_that_are_no_text_are_shown_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"[service]\ndatabase = 'caf\xe9'\n")

    with pytest.raises(ConfigError) as mistake:
        load_config(file, {})

    assert str(mistake.value) == f"{file}:2: is not UTF-8 text"


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    for path, environment in (
        (tmp_path / "no.toml", {}),
        (None, {"REPLICATOR_CONFIG": f"{tmp_path}/no.toml"}),
    ):
        with pytest.raises(ConfigError) as mistake:
            load_config(path, environment)

        assert str(mistake.value) == f"{tmp_path}/no.toml: there is no such file"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as mistake:
        load_config(tmp_path, {})

    assert str(mistake.value) == f"{tmp_path}: cannot be read: Is a directory"


@pytest.mark.parametrize(
    ("option", "environment", "place"),
    [
        ("mysql://me:s3cret@h/db", {}, "--database"),
        (None, {"REPLICATOR_DATABASE": "mysql://me:s3cret@h/db"}, "$REPLICATOR_DATABASE"),
    ],
)
def test_a_database_that_is_none_is_refused_without_showing_its_password(
    tmp_path: Path, option: str | None, environment: dict[str, str], place: str
) -> None:
    file = tmp_path / "config.toml"
    file.touch()

    with pytest.raises(ConfigError) as mistake:
        load_config(file, environment, database=option)

    assert str(mistake.value) == (
        f"{place}: expected sqlite:///FILE or postgresql://USER@HOST/NAME, "
        "got something that begins with 'mysql'"
    )
