"""A database as it looks after two weeks of service, for tests, pictures and measurements."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert

from replicator.oci.digest import Digest
from replicator.oci.platform import Platform
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.backoff import Failing
from replicator.planning.plan import Decision
from replicator.planning.rule import RepositorySelection, Rule, TagSelection
from replicator.registry.facts import Facts
from replicator.store.documents import rule_to_document
from replicator.store.notes import TagNotes
from replicator.store.owner import Owner
from replicator.store.pull_budgets import PullBudgets
from replicator.store.records import ActionError, ActionRecord, NoteChanges, Outcome
from replicator.store.registry_facts import RegistryFacts
from replicator.store.rules import Rules
from replicator.store.runs import Runs
from replicator.store.tables import rule as rule_table
from replicator.store.tables import run as run_table

DAYS = 14
HARBOR = "registry.example.com"
_MIB = 1 << 20

RULES = (
    Rule(
        "base-images",
        "docker.io/library/*",
        (f"{HARBOR}/hub/{{repository}}", "quay.io/acme/{name}"),
        repositories=RepositorySelection(include=("alpine", "debian", "python")),
        tags=TagSelection(semver=">=3.18", exclude=("*-rc*",), latest=5),
        platforms=(Platform("linux", "amd64"), Platform("linux", "arm64")),
        schedule="0 */6 * * *",
        objective=timedelta(hours=8),
    ),
    Rule(
        "kubernetes",
        "registry.k8s.io/kube-*",
        (f"{HARBOR}/k8s/{{name}}",),
        tags=TagSelection(semver=">=1.30", latest=12),
        schedule="30 2 * * *",
        timezone="Asia/Shanghai",
        objective=timedelta(hours=30),
    ),
    Rule(
        "monitoring",
        "quay.io/prometheus/*",
        (f"{HARBOR}/monitoring/{{name}}",),
        tags=TagSelection(latest=10),
        schedule="15 */4 * * *",
    ),
    Rule(
        "postgres", "docker.io/library/postgres", (f"{HARBOR}/db/postgres",), schedule="0 1 * * *"
    ),
    Rule(
        "team-payments",
        "ghcr.io/acme/payments-*",
        (f"{HARBOR}/payments/{{name}}",),
        schedule="*/30 * * * *",
        objective=timedelta(hours=1),
    ),
    Rule("team-search", "ghcr.io/acme/search", (f"{HARBOR}/search/app",), schedule="0 * * * *"),
    Rule("toolchains", "gcr.io/distroless/*", (f"{HARBOR}/distroless/{{name}}",), enabled=False),
)
_KINDS = {
    "docker.io": {"tags": 4, "manifest_head": 31, "manifest_get": 9, "blob_get": 22, "token": 5},
    "quay.io": {"api": 6, "manifest_get": 5, "blob_get": 14},
    HARBOR: {"upload": 34, "manifest_put": 12, "manifest_head": 18, "blob_head": 7},
}


async def fill(database, now=None, rules=RULES):
    """Make rules and two weeks of their runs; return the ids of the newest run of each."""
    now, chance = now or datetime.now(UTC), random.Random(11)
    for rule in rules:
        await Rules(database).put(rule)
    rows = []
    for rule in rules:
        each = _every(rule)
        for number in range(int(timedelta(days=DAYS) / each)):
            started = now - timedelta(days=DAYS) + each * (number + 1) - timedelta(minutes=20)
            rows.append(_run(rule, started, number, chance))
    rows.sort(key=lambda row: row["started_at"])
    async with database.writing() as connection:
        await connection.execute(insert(run_table), rows)
    return {row["rule"]: row["id"] for row in rows}


async def add_trouble(database, now=None):
    """Let a run of team-payments fail for a reason that somebody has to look at."""
    now = now or datetime.now(UTC)
    rule = next(each for each in RULES if each.name == "team-payments")
    kept, actions, failing = Runs(database, Owner.this_process()), [], []
    record = await kept.start(rule, "schedule", now - timedelta(minutes=4))
    for number in range(1, 61):
        name, digest = f"payments-{'api' if number % 2 else 'web'}", Digest.of(f"{number}".encode())
        place, tag = RepositoryName(HARBOR, f"payments/{name}"), Tag(f"2.{number}.0")
        action = ActionRecord(
            place,
            tag,
            Decision.COPY,
            "not at the destination yet" if number % 3 else "the source names something else",
            f"ghcr.io/acme/{name}:{tag}",
            digest,
            digest,
            Outcome.WRITTEN,
            None,
            1,
            number * 3 * _MIB,
            number * _MIB,
        )
        if number % 17 == 3:
            error = ActionError(
                "denied",
                f"{HARBOR}: upload to payments/{name} refused: configured storage quota of the "
                "project is used up (10 GiB of 10 GiB)",
                "destination",
                403,
                "DENIED",
            )
            action = replace(action, outcome=Outcome.FAILED, error=error, attempts=3, bytes_moved=0)
            since = now - timedelta(hours=3)
            failing.append(
                Failing(
                    place,
                    tag,
                    rule.name,
                    action.source,
                    number % 4 + 1,
                    error.kind,
                    error.message,
                    error.side,
                    since,
                    now,
                    now + timedelta(minutes=20),
                    record.id,
                )
            )
        actions.append(action)
    await kept.save(record.id, actions)
    await TagNotes(database).change(rule.name, NoteChanges(failing=failing))
    return record, kept, actions


async def add_registries(database, now=None):
    """Let it be known how registries behave, and how many pulls are left."""
    now = now or datetime.now(UTC)
    facts = Facts(
        "harbor",
        "Bearer",
        True,
        True,
        True,
        False,
        True,
        True,
        True,
        False,
        True,
        True,
        True,
        "put",
    )
    await RegistryFacts(database).keep(HARBOR, facts, now - timedelta(hours=5))
    await PullBudgets(database, lambda: now).note("docker.io", "192.0.2.7", 143)


def many(number):
    """Return so many rules, none like another."""
    return [
        Rule(
            f"team-{n:04}",
            f"docker.io/library/image-{n}",
            (f"{HARBOR}/hub/image-{n}",),
            schedule="0 3 * * *",
            objective=timedelta(hours=30),
        )
        for n in range(number)
    ]


async def fill_many(database, number, now=None):
    """Make *number* rules, and a run of each on each of the last days."""
    now, chance, rules = now or datetime.now(UTC), random.Random(11), many(number)
    rule_rows = [
        {
            "name": rule.name,
            "revision": 1,
            "origin": "api",
            "enabled": True,
            "definition": rule_to_document(rule),
        }
        for rule in rules
    ]
    async with database.writing() as connection:
        await connection.execute(insert(rule_table), rule_rows)
        for day in range(DAYS):
            started = now - timedelta(days=DAYS - day) + timedelta(hours=20)
            rows = [_run(rule, started, n, chance) for n, rule in enumerate(rules)]
            await connection.execute(insert(run_table), rows)


def _every(rule):
    if not rule.schedule:
        return timedelta(days=3)
    hour = rule.schedule.split()[1]
    return timedelta(hours=int(hour[2:]) if hour.startswith("*/") else 12)


def _run(rule, started, number, chance):
    moved = int(chance.paretovariate(1.3) * 180) * _MIB if chance.random() < 0.7 else 0
    state = chance.choices(("succeeded", "partial", "failed"), (94, 4, 2))[0]
    share = chance.random()
    return {
        "id": f"{started:%Y%m%d-%H%M%S}-{number:04d}{rule.name.replace('-', '')[-4:]:0>4}",
        "rule": rule.name,
        "snapshot": rule_to_document(rule),
        "trigger": "schedule",
        "state": state,
        "owner": "worker-1",
        "leased_until": started,
        "started_at": started,
        "finished_at": started + timedelta(seconds=chance.randint(8, 400)),
        "counts": {
            "selected": 60,
            "copied": moved // (90 * _MIB),
            "failed": 2 if state == "partial" else 0,
            "skipped": 52,
        },
        "bytes_moved": moved,
        "bytes_mounted": int(moved * share * 0.5),
        "bytes_skipped": int(moved * share * 0.8),
        "requests": {
            host: {kind: int(n * (0.6 + chance.random())) for kind, n in kinds.items()}
            for host, kinds in _KINDS.items()
        },
        "error": "quay.io cannot be reached: timed out after 15 s" if state == "failed" else "",
        "attempt": 1,
        "retry": False,
    }
