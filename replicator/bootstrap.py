"""Builds the object graph, once, from a Config; the only place that knows all of it.

Everything heavy is imported by the function that needs it: a copy loads no SQL, and whoever only
looks at the history speaks to no registry.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from replicator.errors import ConfigError, StoreError
from replicator.values import dataclass

if TYPE_CHECKING:
    import asyncio

    from replicator.config import Config
    from replicator.events import Listener
    from replicator.planning.rule import Rule
    from replicator.registry.client import Registry
    from replicator.registry.facts import Facts
    from replicator.registry.keychain import Keychain
    from replicator.registry.pull_budget import SharedPulls
    from replicator.registry.settings import Credentials, CredentialSource
    from replicator.service.credentials import CredentialDesk
    from replicator.service.desk import Desk
    from replicator.service.engine import Engine
    from replicator.service.explaining import Explainer
    from replicator.service.hooks.desk import HookDesk
    from replicator.service.lease import Lease
    from replicator.service.one_off import OneOff
    from replicator.service.probes import Probes
    from replicator.service.protocols import Repository
    from replicator.service.registries import Registries
    from replicator.service.registry_desk import RegistryDesk
    from replicator.service.rulebook import Rulebook
    from replicator.service.runner import Runner
    from replicator.service.secret_key import SecretKeys
    from replicator.service.serving import Role, Serving
    from replicator.service.signs_of_life import SignsOfLife
    from replicator.service.status import RuleStatus
    from replicator.service.tokens import TokenDesk
    from replicator.service.verifying import Verifier
    from replicator.service.worker import Worker
    from replicator.store.audit import Audit
    from replicator.store.database import Database
    from replicator.store.owner import Owner
    from replicator.store.queue import Queue
    from replicator.store.registries import KeptRegistries
    from replicator.store.registry_facts import KeptFacts
    from replicator.store.runs import Runs
    from replicator.store.unfinished_uploads import UnfinishedUploads
    from replicator.telemetry.live import LiveRuns
    from replicator.telemetry.metrics import Metrics
    from replicator.telemetry.traces import Traces


def read_config(file: Path | None, *, database: str | None = None) -> Config:
    """Read the configuration from *file* and the environment. Raises ConfigError."""
    from replicator.config import load_config

    return load_config(file, os.environ, database=database)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Make the event loop for whatever speaks to registries."""
    from replicator.registry.transport.loop import new_event_loop

    return new_event_loop()


@asynccontextmanager
async def open_one_off(config: Config, *, listener: Listener) -> AsyncIterator[OneOff]:
    """Build what copies without rules and without a database; it remembers nothing."""
    from replicator.service.one_off import OneOff
    from replicator.transfer.copy import Transfer
    from replicator.transfer.inventory import MemoryInventory

    async with open_registries(config, listener=listener) as registries:
        transfer = Transfer(inventory=MemoryInventory(), listener=listener)
        yield OneOff(registries=registries, copier=transfer, clock=_now)


@asynccontextmanager
async def open_runs(config: Config) -> AsyncIterator[Runs]:
    """Open the history. Raises StoreError if there is none, or the database cannot be used."""
    async with _open_existing(config) as database:
        if database is None:
            raise StoreError("there is no database yet; `replicate run` makes it")
        yield _runs(database)


@asynccontextmanager
async def open_rulebook(config: Config, *, writes: bool = False) -> AsyncIterator[Rulebook]:
    """Open the rules. Without a database there are those of the file alone.

    Whoever *writes* needs one: an embedded database is made on the spot.
    """
    from replicator.service.rulebook import NoRules, Rulebook
    from replicator.store.database import Database
    from replicator.store.rules import Rules

    if writes:
        async with await Database.open(config.service.database, upgrade=True) as database:
            yield Rulebook(Rules(database), config.rules)
        return
    async with _open_existing(config) as database:
        yield Rulebook(NoRules() if database is None else Rules(database), config.rules)


@dataclass(frozen=True, slots=True)
class Service:
    """What carries out rules, and what knows of them and of their runs."""

    rulebook: Rulebook
    runs: Runs
    runner: Runner
    registries: Registries
    database: Database
    lease: Lease


@asynccontextmanager
async def open_service(
    config: Config, *, listener: Listener, probes: Probes | None = None
) -> AsyncIterator[Service]:
    """Build what carries out rules; an embedded database is made on the spot.

    Raises StoreError if the database cannot be used.
    """
    from replicator.service.lease import Lease
    from replicator.service.probes import Probes, both
    from replicator.service.rulebook import Rulebook
    from replicator.service.runner import RunLimits, Runner
    from replicator.store.database import Database
    from replicator.store.inventory import LedgerInventory
    from replicator.store.ledger import Ledger
    from replicator.store.notes import TagNotes
    from replicator.store.pull_budgets import PullBudgets
    from replicator.store.registry_facts import RegistryFacts
    from replicator.store.rules import Rules
    from replicator.transfer.copy import Transfer
    from replicator.transfer.fail_points import pass_by

    async with (
        await Database.open(config.service.database, upgrade=True) as database,
        open_registries(
            await with_kept_registries(config, database),
            listener=listener,
            facts=await RegistryFacts(database).believed(_now()),
            pulls=PullBudgets(database, _now),
        ) as registries,
    ):
        ledger, runs = Ledger(database), _runs(database)
        inventory = LedgerInventory(ledger, _now, trusted_for=config.service.confirm_after)
        probes = probes or Probes()
        lease = Lease(probes.timing.safe)
        # With a file it can be seen that a process is there, so nobody takes its runs.
        guard = pass_by if database.embedded else lease.check
        runner = Runner(
            registries=registries,
            copier=Transfer(
                inventory=inventory,
                unfinished=_unfinished(database),
                listener=listener,
                fail_point=both(probes.pass_point, guard),
            ),
            ledger=ledger,
            runs=runs,
            notes=TagNotes(database),
            clock=_now,
            confirm_after=config.service.confirm_after,
            confirm_share=config.service.confirm_share,
            limits=RunLimits(images=config.service.concurrency),
            lease=lease,
        )
        try:
            rulebook = Rulebook(Rules(database), config.rules)
            yield Service(rulebook, runs, runner, registries, database, lease)
        finally:
            await inventory.flush()


def verifier(service: Service) -> Verifier:
    """Build what looks whether things are as they were published."""
    from replicator.service.verifying import Verifier
    from replicator.store.ledger import Ledger

    return Verifier(Ledger(service.database), service.registries.repository)


@dataclass(frozen=True, slots=True)
class Served:
    """A service that is about to serve, and what is known of it.

    *webhook_secrets* are those that the notices of a registry have to show one of.
    """

    serving: Serving
    rulebook: Rulebook
    database: Database
    metrics: Metrics
    live: LiveRuns
    hooks: HookDesk
    webhook_secrets: Callable[[str], Sequence[str]]
    roles: Collection[Role]


@asynccontextmanager
async def open_serving(
    config: Config, roles: Collection[Role] = (), *, probes: Probes | None = None
) -> AsyncIterator[Served]:
    """Build what runs rules on time, in some *roles* or in all; an embedded database is made on
    the spot.

    Raises ConfigError when the database is a file and not all roles are wanted, StoreError if the
    database cannot be used.
    """
    from replicator.config.webhooks import webhook_secrets
    from replicator.events import to_all
    from replicator.notify.delivery import Delivery
    from replicator.notify.notifier import Notifier
    from replicator.service.alarm import ClockAlarm
    from replicator.service.heeding import Act, heed
    from replicator.service.hooks.desk import HookDesk
    from replicator.service.housekeeping import Housekeeping
    from replicator.service.old_uploads import OldUploads
    from replicator.service.probes import Probes
    from replicator.service.scheduler import Scheduler
    from replicator.service.serving import Loop, Role, Serving
    from replicator.service.shared_limits import SharedLimits
    from replicator.store.dirty import DirtyRepositories
    from replicator.store.fires import Fires
    from replicator.store.notices import CANCELLED, RULES
    from replicator.store.notifications import Notifications
    from replicator.store.owner import Owner
    from replicator.store.reaper import Reaper
    from replicator.store.retention import Keep, Retention
    from replicator.store.rules import Rules
    from replicator.store.services import Services
    from replicator.telemetry.live import LiveRuns
    from replicator.telemetry.logging import log_event
    from replicator.telemetry.metrics import Metrics
    from replicator.telemetry.traces import open_traces

    probes, roles = probes or Probes(), frozenset(roles) or frozenset(Role)
    metrics, owner = Metrics(), Owner.this_process()
    live = LiveRuns()
    traces = open_traces(os.environ)
    heard = (metrics.hear, log_event, live.hear, *((traces.hear,) if traces else ()))
    listener = to_all(*heard)
    async with (
        _closing(traces),
        open_service(config, listener=listener, probes=probes) as service,
    ):
        _require_all_roles(service.database, roles)
        engine = _engine(service.database)
        scheduler = Scheduler(
            fires=Fires(service.database),
            alarm=ClockAlarm(),
            engine=engine,
            clock=_now,
            pass_step=probes.pass_step,
        )
        worker, life = _worker(service, engine, owner, metrics, listener, probes)
        hooks = HookDesk(
            rules=Rules(service.database),
            marks=DirtyRepositories(service.database),
            engine=engine,
            clock=_now,
        )
        housekeeping = Housekeeping(
            retention=Retention(service.database),
            keep=Keep(config.service.keep_history, config.service.keep_runs),
            clock=_now,
        )
        telling = Notifier(
            config.channels,
            kept=Notifications(service.database),
            post=Delivery(os.environ, _now),
            clock=_now,
        )
        services = Services(service.database, owner, _now(), works=Role.WORKER in roles)
        acts: dict[str, Act] = {}
        starting: list[Loop] = []
        lasting: list[Loop] = []
        if Role.SCHEDULER in roles:
            acts[RULES] = scheduler.look
            starting += (scheduler.run, hooks.run)
            lasting += (housekeeping.run, telling.run)
        if Role.WORKER in roles:
            acts[CANCELLED] = life.look
            starting += (worker.run, engine.run)
            lasting += (
                life.keep,
                SharedLimits(services, service.registries, clock=_now).run,
                OldUploads(_unfinished(service.database), service.registries).run,
            )
        if not service.database.embedded:
            lasting.append(partial(heed, service.database.notices, acts))
        serving = Serving(
            scheduler=scheduler if Role.SCHEDULER in roles else None,
            worker=worker if Role.WORKER in roles else None,
            starting=starting,
            lasting=lasting,
            reaper=Reaper(service.database, grace=probes.timing.grace_time),
            services=services,
            clock=_now,
            timing=probes.timing,
        )
        yield Served(
            serving,
            service.rulebook,
            service.database,
            metrics,
            live,
            hooks,
            lambda registry: webhook_secrets(config, registry, os.environ),
            roles,
        )


def _require_all_roles(database: Database, roles: Collection[Role]) -> None:
    from replicator.errors import ConfigError
    from replicator.service.serving import Role

    if database.embedded and frozenset(roles) != frozenset(Role):
        raise ConfigError(
            "a database in a file is one service's, which does everything; leave out --role, or "
            'use PostgreSQL: database = "postgresql://USER@HOST/NAME"'
        )


def _engine(database: Database) -> Engine:
    from replicator.service.carried_engine import ProcrastinateEngine
    from replicator.service.engine import LocalEngine
    from replicator.store.carrier import QUEUE, TASK

    if database.embedded:
        return LocalEngine()
    return ProcrastinateEngine(database.dsn, queue=QUEUE, task=TASK)


def _worker(
    service: Service,
    engine: Engine,
    owner: Owner,
    metrics: Metrics,
    listener: Listener,
    probes: Probes,
) -> tuple[Worker, SignsOfLife]:
    """Build what takes up items, and what keeps them its own meanwhile."""
    from replicator.service.item_runner import ItemRunner
    from replicator.service.signs_of_life import SignsOfLife
    from replicator.service.worker import Worker
    from replicator.store.items import Items

    items = Items(service.database, owner, lease=probes.timing.lease_time)
    life = SignsOfLife(items, lease=service.lease, clock=_now, timing=probes.timing)
    runner = ItemRunner(
        means=service.runner.means,
        items=items,
        life=life,
        wake=engine.send,
        pass_step=probes.pass_step,
        largest=probes.largest,
    )
    worker = Worker(
        items=items,
        runner=runner,
        engine=engine,
        clock=_now,
        tell=lambda report: metrics.count_run(report.state.value, report.counts),
        announce=listener,
        pass_step=probes.pass_step,
    )
    return worker, life


@asynccontextmanager
async def _closing(traces: Traces | None) -> AsyncIterator[None]:
    """Send at the end what is left of traces; in a thread, as a collector may be slow."""
    import asyncio

    try:
        yield
    finally:
        if traces is not None:
            await asyncio.to_thread(traces.close)


@asynccontextmanager
async def open_queue(config: Config) -> AsyncIterator[Queue]:
    """Open the runs that are not finished. Raises StoreError if there is no database."""
    async with _open_existing(config) as database:
        if database is None:
            raise StoreError("there is no database yet; `replicate run` makes it")
        yield _queue(database)


@asynccontextmanager
async def open_desk(config: Config) -> AsyncIterator[Desk]:
    """Open where a service is asked for runs. Raises StoreError if there is no database."""
    from replicator.service.desk import Desk
    from replicator.service.rulebook import Rulebook
    from replicator.store.rules import Rules
    from replicator.store.services import is_served

    async with _open_existing(config) as database:
        if database is None:
            raise StoreError("there is no database yet; `replicate serve` makes it")
        yield Desk(
            rulebook=Rulebook(Rules(database), config.rules),
            runs=_runs(database),
            queue=_queue(database),
            is_served=lambda: is_served(database, _now()),
            clock=_now,
        )


@asynccontextmanager
async def open_explainer(
    config: Config,
) -> AsyncIterator[tuple[Explainer, Rulebook]]:
    """Build what explains tags. Raises StoreError if there is no database yet."""
    from replicator.events import ignore
    from replicator.service.explaining import Explainer
    from replicator.service.rulebook import Rulebook
    from replicator.store.history import History
    from replicator.store.ledger import Ledger
    from replicator.store.notes import TagNotes
    from replicator.store.rules import Rules

    async with (
        _open_existing(config) as database,
        open_registries(config, listener=ignore) as registries,
    ):
        if database is None:
            raise StoreError("there is no database yet; `replicate run` makes it")
        explainer = Explainer(
            registries=registries,
            ledger=Ledger(database),
            notes=TagNotes(database),
            history=History(database),
            clock=_now,
        )
        yield explainer, Rulebook(Rules(database), config.rules)


@asynccontextmanager
async def open_status(
    config: Config,
) -> AsyncIterator[Callable[[], Awaitable[Sequence[RuleStatus]]]]:
    """Open what says how each rule is doing. Raises StoreError if there is no database yet."""
    from replicator.service.rulebook import Rulebook
    from replicator.service.status import status_of
    from replicator.store.history import History
    from replicator.store.notes import TagNotes
    from replicator.store.rules import Rules

    async with _open_existing(config) as database:
        if database is None:
            raise StoreError("there is no database yet; `replicate run` makes it")
        rulebook = Rulebook(Rules(database), config.rules)

        async def status() -> Sequence[RuleStatus]:
            return await status_of(
                await rulebook.all(),
                history=History(database),
                notes=TagNotes(database),
                clock=_now,
            )

        yield status


async def check_listable(config: Config, rules: Sequence[Rule]) -> None:
    """Make sure that the patterns of *rules* can be listed. Raises ConfigError."""
    from replicator.events import ignore
    from replicator.service.listable import check_listable

    async with open_registries(config, listener=ignore) as registries:
        await check_listable(rules, registries)


@asynccontextmanager
async def open_registries(
    config: Config,
    *,
    listener: Listener,
    facts: Mapping[str, Facts] | None = None,
    pulls: SharedPulls | None = None,
) -> AsyncIterator[Registries]:
    """Build what opens repositories; nothing is sent yet.

    *facts* are from earlier checks; *pulls* says what others draw on the same limits.
    """
    from replicator.registry.client import open_registry
    from replicator.service.registries import Registries

    entries = {name: entry.settings for name, entry in config.registries.items()}
    async with Registries(
        entries,
        open_registry=partial(
            open_registry, keychain=keychain(config), entries=entries, facts=facts, pulls=pulls
        ),
        open_layout=_open_layout,
        listener=listener,
        configured=_named_secrets(config),
    ) as registries:
        yield registries


@asynccontextmanager
async def open_one_registry(
    config: Config, name: str, *, logins: Keychain | None = None
) -> AsyncIterator[Registry]:
    """Open the client of one registry, with its own logins unless others are given."""
    from replicator.registry.client import open_registry
    from replicator.registry.settings import RegistrySettings

    entry = config.registries.get(name)
    registry = open_registry(
        entry.settings if entry else RegistrySettings(name),
        keychain=logins or keychain(config),
    )
    try:
        yield registry
    finally:
        await registry.aclose()


async def keep_facts(config: Config, name: str, facts: Facts) -> bool:
    """Keep what a check has shown; False where there is no database yet. Raises StoreError."""
    from replicator.store.registry_facts import RegistryFacts

    async with _open_existing(config) as database:
        if database is None:
            return False
        await RegistryFacts(database).keep(name, facts, _now())
        return True


async def kept_facts(config: Config, name: str) -> KeptFacts | None:
    """Return what earlier checks of a registry have shown, None if there is nothing."""
    from replicator.store.registry_facts import RegistryFacts

    async with _open_existing(config) as database:
        return None if database is None else (await RegistryFacts(database).all()).get(name)


async def check_login(config: Config, name: str, credentials: Credentials) -> bool:
    """Make sure that a registry takes *credentials*, and say whether it asks for any.

    Raises Unauthorized.
    """
    from replicator.registry.keychain import Given

    async with open_one_registry(config, name, logins=Given(name, credentials)) as registry:
        return bool(await registry.check_login())


async def keep_login(name: str, credentials: Credentials) -> None:
    """Keep a login where Docker keeps it. Raises ConfigError."""
    from replicator.registry.docker_config import store_login

    await store_login(docker_config_file(os.environ), name, credentials)


async def forget_login(name: str) -> bool:
    """Forget a login where Docker keeps it; False if there was none. Raises ConfigError."""
    from replicator.registry.docker_config import erase_login

    return await erase_login(docker_config_file(os.environ), name)


def _named_logins(config: Config) -> dict[str, CredentialSource]:
    """Return where each login of the configuration is, by host, or by host and path."""
    named = {
        name: entry.credential
        for name, entry in config.registries.items()
        if entry.credential is not None
    }
    for name, entry in config.registries.items():
        named |= {f"{name}/{path}": source for path, source in entry.logins.items()}
    return named


def _named_secrets(config: Config) -> Keychain:
    """Build what reads the secrets that the configuration and the database have."""
    from replicator.registry.keychain import ConfiguredKeychain, FirstOf

    named = _named_logins(config)
    stored = {name: source.stored for name, source in named.items() if source.stored}
    return FirstOf(
        ConfiguredKeychain(named, os.environ),
        *([_stored_keychain(config, stored)] if stored else ()),
    )


def keychain(config: Config) -> Keychain:
    """Build what finds credentials: the configuration's and the clouds' first, then Docker's."""
    from replicator.registry.cloud.keychain import CloudKeychain
    from replicator.registry.docker_config import DockerKeychain
    from replicator.registry.keychain import FirstOf

    named = _named_logins(config)
    clouds = {name: source.cloud for name, source in named.items() if source.cloud is not None}
    configured = FirstOf(_named_secrets(config), CloudKeychain(clouds))
    if not config.service.docker_config:
        return configured
    return FirstOf(configured, DockerKeychain(docker_config_file(os.environ)))


def secret_keys(config: Config) -> SecretKeys | None:
    """Read the secret key, and older ones; None if there is none. Raises ConfigError."""
    from replicator.config.secret_key import read_secret_keys

    return read_secret_keys(config, os.environ)


def require_secret_keys(config: Config, purpose: str) -> SecretKeys:
    """Read the secret key. Raises ConfigError, with the way to one, if there is none."""
    from replicator.service.secret_key import HOW_TO_MAKE

    keys = secret_keys(config)
    if keys is None:
        raise ConfigError(
            f"{purpose} need a secret key, and there is none; set secret_key_file below [service], "
            f"or $REPLICATOR_SECRET_KEY; {HOW_TO_MAKE}"
        )
    return keys


@asynccontextmanager
async def open_tokens(config: Config) -> AsyncIterator[TokenDesk]:
    """Open the tokens of the API; an embedded database is made on the spot.

    Raises ConfigError without a secret key.
    """
    from replicator.service.tokens import TokenDesk
    from replicator.store.database import Database
    from replicator.store.tokens import Tokens

    keys = require_secret_keys(config, "tokens")
    async with await Database.open(config.service.database, upgrade=True) as database:
        yield TokenDesk(Tokens(database), keys, _now)


@asynccontextmanager
async def open_credentials(config: Config) -> AsyncIterator[CredentialDesk]:
    """Open the credentials that the database keeps; an embedded one is made on the spot.

    Raises ConfigError without a secret key.
    """
    from replicator.service.credentials import CredentialDesk
    from replicator.store.credentials import Credentials
    from replicator.store.database import Database

    keys = require_secret_keys(config, "kept credentials")
    async with await Database.open(config.service.database, upgrade=True) as database:
        yield CredentialDesk(Credentials(database), keys, _now)


@asynccontextmanager
async def open_registry_desk(config: Config) -> AsyncIterator[RegistryDesk]:
    """Open the registries that the database keeps; an embedded one is made on the spot."""
    from replicator.store.database import Database
    from replicator.store.registries import KeptRegistries

    async with await Database.open(config.service.database, upgrade=True) as database:
        yield registry_desk(config, KeptRegistries(database))


def registry_desk(config: Config, kept: KeptRegistries) -> RegistryDesk:
    """Build what changes registries in a database that is open."""
    from replicator.config.kept_registries import read_kept
    from replicator.service.registry_desk import RegistryDesk

    return RegistryDesk(kept, check=read_kept, of_file=config.registries)


@asynccontextmanager
async def open_audit(config: Config) -> AsyncIterator[Audit]:
    """Open the audit. Raises StoreError if there is no database yet."""
    from replicator.store.audit import Audit

    async with _open_existing(config) as database:
        if database is None:
            raise StoreError("there is no database yet; `replicate run` makes it")
        yield Audit(database)


async def write_down(config: Config, action: str, kind: str, name: str) -> None:
    """Write down in the audit what somebody asked for. Raises StoreError."""
    from replicator.store.audit import Change

    async with open_audit(config) as audit:
        await audit.add(Change(action, kind, name))


async def with_kept_registries(config: Config, database: Database | None = None) -> Config:
    """Return *config* with the registries that the database keeps; those of the file go first."""
    from replicator.config.kept_registries import with_kept
    from replicator.store.registries import KeptRegistries

    if database is not None:
        return with_kept(config, await KeptRegistries(database).all())
    async with _open_existing(config) as opened:
        return config if opened is None else await with_kept_registries(config, opened)


def _stored_keychain(config: Config, names: Mapping[str, str]) -> Keychain:
    """Build what finds credentials in the database, which is opened for each look."""
    from replicator.service.credentials import StoredKeychain

    async def reveal(name: str, registry: str) -> Credentials:
        async with open_credentials(config) as desk:
            return await desk.reveal(name, registry)

    return StoredKeychain(names, reveal)


def docker_config_file(environment: Mapping[str, str]) -> Path:
    """Return where Docker keeps its logins."""
    folder = environment.get("DOCKER_CONFIG")
    if folder:
        return Path(folder) / "config.json"
    # Not Path.home(): a container may run as a user who has no home.
    return Path(environment.get("HOME", "/")) / ".docker" / "config.json"


@asynccontextmanager
async def _open_existing(config: Config) -> AsyncIterator[Database | None]:
    """Open a database that is there; None if it is not. An older file is brought up to date."""
    from replicator.store.database import Database

    url = config.service.database
    async with Database(url) as database:
        missing = await database.revision() is None
    if missing:
        yield None
        return
    async with await Database.open(url, upgrade=True) as database:
        yield database


def _runs(database: Database) -> Runs:
    from replicator.store.owner import Owner
    from replicator.store.runs import Runs

    return Runs(database, Owner.this_process())


def _unfinished(database: Database) -> UnfinishedUploads:
    from replicator.store.owner import Owner
    from replicator.store.unfinished_uploads import UnfinishedUploads

    return UnfinishedUploads(database, Owner.this_process(), _now)


def _queue(database: Database) -> Queue:
    from replicator.store.queue import Queue

    return Queue(database)


def _open_layout(folder: Path) -> Repository:
    from replicator.layout.layout import open_layout

    return open_layout(folder)


def _now() -> datetime:
    return datetime.now(UTC)
