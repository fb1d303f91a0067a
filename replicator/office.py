"""Office: all that programs and pages may ask a service for, built once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from replicator import bootstrap
from replicator.bootstrap import Served
from replicator.config import Config, RegistryEntry
from replicator.errors import NotAuthenticated
from replicator.events import ignore
from replicator.planning.rule import Rule
from replicator.registry.probe import Finding, probe
from replicator.service.access.credentials import CredentialDesk
from replicator.service.access.identity import Identity
from replicator.service.access.page_sessions import SessionDesk
from replicator.service.access.secret_key import HOW_TO_MAKE
from replicator.service.access.tokens import TokenDesk
from replicator.service.desks.registry_desk import RegistryDesk
from replicator.service.desks.rule_desk import RuleDesk
from replicator.service.desks.run_desk import RunDesk
from replicator.service.looking.explaining import Explainer
from replicator.service.records.report import RunReport
from replicator.service.views.access_views import AccessViews
from replicator.service.views.audit_views import AuditViews
from replicator.service.views.overview import OverviewViews
from replicator.service.views.registry_condition import RegistryConditions
from replicator.service.views.registry_views import KnownRegistry, RegistryViews
from replicator.service.views.rule_views import RuleViews
from replicator.service.views.run_views import RunViews
from replicator.service.views.tag_views import TagViews
from replicator.service.views.traffic_views import TrafficViews
from replicator.store.answers import Answers
from replicator.store.audit_trail import Audit
from replicator.store.credentials import Credentials
from replicator.store.database import Database
from replicator.store.history import History
from replicator.store.ledger import Ledger
from replicator.store.notes import TagNotes
from replicator.store.page_sessions import PageSessions
from replicator.store.places import Places
from replicator.store.pull_budgets import PullBudgets
from replicator.store.registry_facts import RegistryFacts
from replicator.store.rule_standing import RuleStandings
from replicator.store.run_pages import RunPages
from replicator.store.tokens import Tokens
from replicator.store.traffic import Traffic
from replicator.telemetry.live import LiveRuns
from replicator.values import dataclass

if TYPE_CHECKING:
    from replicator.oidc.login import OidcLogin

NO_KEY: Final = (
    "tokens exist, but this service has no secret key to know them by; restart it with the key "
    "that they were made with ($REPLICATOR_SECRET_KEY, or secret_key_file below [service])"
)


_TAKES_KEY: Final = (
    "this service has no secret key, so no {} here; set secret_key_file below [service], or "
    f"$REPLICATOR_SECRET_KEY, and restart it; {HOW_TO_MAKE}"
)
TOKENS_TAKE_KEY: Final = _TAKES_KEY.format("token can be made or counts")
CREDENTIALS_TAKE_KEY: Final = _TAKES_KEY.format("credential can be set or used")


@dataclass(frozen=True, slots=True)
class Office:
    """What may be asked. Views show, desks change.

    ``tokens`` and ``credentials`` are None without a secret key; ``token_store`` also knows then
    whether there are tokens. ``login`` is None where people sign in by tokens alone.
    """

    rules: RuleViews
    runs: RunViews
    tags: TagViews
    registries: RegistryViews
    audit: AuditViews
    rule_desk: RuleDesk
    run_desk: RunDesk
    registry_desk: RegistryDesk
    tokens: TokenDesk | None
    token_store: Tokens
    credentials: CredentialDesk | None
    answers: Answers
    live: LiveRuns
    overview: OverviewViews
    traffic: TrafficViews
    conditions: RegistryConditions
    sessions: SessionDesk
    access: AccessViews
    login: OidcLogin | None

    async def asks_who(self) -> bool:
        """Say whether whoever asks has to be known: people can sign in, or a token was made."""
        return self.login is not None or await self.token_store.exist()

    async def lacks_key(self) -> bool:
        """Say whether there are tokens that this service has no secret key to know by."""
        return self.tokens is None and await self.token_store.exist()

    async def why_no_tokens(self) -> str:
        """Say why no token counts here, and what to do; empty where they do."""
        if self.tokens is not None:
            return ""
        return NO_KEY if await self.lacks_key() else TOKENS_TAKE_KEY

    async def known_by(self, token: str) -> Identity:
        """Tell who shows *token*. Raises NotAuthenticated."""
        if self.tokens is not None:
            return await self.tokens.identify(token)
        raise NotAuthenticated(await self.why_no_tokens())


@asynccontextmanager
async def open_office(config: Config, served: Served) -> AsyncIterator[Office]:
    """Build what may be asked of a service."""
    database, rulebook, now = served.database, served.rulebook, served.database.clock
    notes, history, keys = TagNotes(database), History(database), bootstrap.secret_keys(config)
    rules = RuleViews(rulebook, history=history, notes=notes, clock=now)
    sessions = SessionDesk(PageSessions(database), now)
    runs, audit = RunViews(RunPages(database)), Audit(database)
    whole = await bootstrap.with_kept_registries(config, database)
    async with (
        bootstrap.open_registries(whole, listener=ignore) as registries,
        bootstrap.open_service(config, listener=ignore) as service,
        bootstrap.open_desk(config) as desk,
        bootstrap.open_queue(config) as queue,
    ):
        explainer = Explainer(
            registries=registries,
            ledger=Ledger(database),
            notes=notes,
            history=history,
            clock=now,
        )

        async def check_listable(wanted: Sequence[Rule]) -> None:
            await bootstrap.check_listable(config, wanted)

        async def preview(rule: Rule) -> RunReport:
            (report,) = await service.runner.run_all([rule], trigger="plan", dry_run=True)
            return await service.runner.with_sizes(report)

        yield Office(
            rules=rules,
            runs=runs,
            tags=TagViews(explainer, Places(database), rules),
            registries=_registry_views(config, database),
            audit=AuditViews(audit),
            rule_desk=RuleDesk(rulebook, rules, check_listable=check_listable, preview=preview),
            run_desk=RunDesk(desk, queue, rules=rules, runs=runs, clock=now),
            registry_desk=bootstrap.registry_desk(config, database),
            tokens=None if keys is None else TokenDesk(Tokens(database), keys, now),
            token_store=Tokens(database),
            credentials=None if keys is None else CredentialDesk(Credentials(database), keys, now),
            answers=Answers(database),
            live=served.live,
            overview=OverviewViews(rules, RuleStandings(database), history, notes, now),
            traffic=TrafficViews(Traffic(database), rules, now),
            conditions=RegistryConditions(
                RegistryFacts(database), PullBudgets(database, now), served.metrics.throttled
            ),
            sessions=sessions,
            access=AccessViews(Tokens(database).all, Credentials(database).all, sessions.all),
            login=bootstrap.oidc_login(config, now),
        )


def _registry_views(config: Config, database: Database) -> RegistryViews:
    async def known() -> Mapping[str, KnownRegistry]:
        whole = await bootstrap.with_kept_registries(config, database)
        return {
            name: _known(entry, "file" if name in config.registries else "api")
            for name, entry in whole.registries.items()
        }

    async def check(name: str, repository: str | None) -> Sequence[Finding]:
        whole = await bootstrap.with_kept_registries(config, database)
        async with bootstrap.open_one_registry(whole, name) as registry:
            return [finding async for finding in probe(registry, repository)]

    return RegistryViews(known, check)


def _known(entry: RegistryEntry, origin: str) -> KnownRegistry:
    return KnownRegistry(entry.settings, entry.login, origin)
