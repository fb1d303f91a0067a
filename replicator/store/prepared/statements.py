"""What SQLite is told; written by `make prepared` from ``sources``."""

from typing import Final

from replicator.store.prepared.statement import Prepared

ACTIVE_RUN: Final = Prepared(
    "ACTIVE_RUN",
    'SELECT run.number, run.id, run.rule, run.snapshot, run."trigger", run.state, run.owner, run.leased_until, run.started_at, run.finished_at, run.counts, run.bytes_moved, run.bytes_mounted, run.bytes_skipped, run.requests, run.error, run.queued_at, run.attempt, run.cancel_at, run.only, run.retry FROM run WHERE run.rule = ? AND run.finished_at IS NULL',
    (("of_rule", ""),),
    (
        ("number", ""),
        ("id", ""),
        ("rule", ""),
        ("snapshot", "json"),
        ("trigger", ""),
        ("state", ""),
        ("owner", ""),
        ("leased_until", "moment"),
        ("started_at", "moment"),
        ("finished_at", "moment"),
        ("counts", "json"),
        ("bytes_moved", ""),
        ("bytes_mounted", ""),
        ("bytes_skipped", ""),
        ("requests", "json"),
        ("error", ""),
        ("queued_at", "moment"),
        ("attempt", ""),
        ("cancel_at", "moment"),
        ("only", "json"),
        ("retry", "boolean"),
    ),
)
ADD_MOVED: Final = Prepared(
    "ADD_MOVED",
    "UPDATE run SET bytes_moved=(run.bytes_moved + ?), bytes_mounted=(run.bytes_mounted + ?), bytes_skipped=(run.bytes_skipped + ?) WHERE run.id = ? AND run.finished_at IS NULL",
    (
        ("more_bytes_moved", ""),
        ("more_bytes_mounted", ""),
        ("more_bytes_skipped", ""),
        ("of_id", ""),
    ),
    (),
)
ADD_RULE: Final = Prepared(
    "ADD_RULE",
    "INSERT INTO rule (name, revision, origin, enabled, definition) VALUES (?, ?, ?, ?, ?)",
    (("name", ""), ("revision", ""), ("origin", ""), ("enabled", ""), ("definition", "json")),
    (),
)
ADD_RUN: Final = Prepared(
    "ADD_RUN",
    'INSERT INTO run (id, rule, snapshot, "trigger", state, owner, leased_until, started_at, counts, bytes_moved, bytes_mounted, bytes_skipped, requests, error, attempt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (rule) WHERE finished_at IS NULL DO NOTHING RETURNING id, number',
    (
        ("id", ""),
        ("rule", ""),
        ("snapshot", "json"),
        ("trigger", ""),
        ("state", ""),
        ("owner", ""),
        ("leased_until", "moment"),
        ("started_at", "moment"),
        ("counts", "json"),
        ("bytes_moved", ""),
        ("bytes_mounted", ""),
        ("bytes_skipped", ""),
        ("requests", "json"),
        ("error", ""),
        ("attempt", ""),
    ),
    (("id", ""), ("number", "")),
)
ADD_TO_AUDIT: Final = Prepared(
    "ADD_TO_AUDIT",
    "INSERT INTO audit (at, actor, via, action, kind, name, old, new, previous_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    (
        ("at", "moment"),
        ("actor", ""),
        ("via", ""),
        ("action", ""),
        ("kind", ""),
        ("name", ""),
        ("old", "json"),
        ("new", "json"),
        ("previous_hash", ""),
        ("hash", ""),
    ),
    (),
)
ALL_FACTS: Final = Prepared(
    "ALL_FACTS",
    "SELECT registry_facts.registry, registry_facts.kind, registry_facts.facts, registry_facts.probed_at FROM registry_facts ORDER BY registry_facts.registry",
    (),
    (("registry", ""), ("kind", ""), ("facts", "json"), ("probed_at", "moment")),
)
ALL_FAILING: Final = Prepared(
    "ALL_FAILING",
    "SELECT failing_tag.rule, failing_tag.registry, failing_tag.repository, failing_tag.tag, failing_tag.source, failing_tag.failures, failing_tag.kind, failing_tag.message, failing_tag.side, failing_tag.since, failing_tag.failed_at, failing_tag.next_try_at, failing_tag.run FROM failing_tag ORDER BY failing_tag.rule, failing_tag.registry, failing_tag.repository, failing_tag.tag",
    (),
    (
        ("rule", ""),
        ("registry", ""),
        ("repository", ""),
        ("tag", ""),
        ("source", ""),
        ("failures", ""),
        ("kind", ""),
        ("message", ""),
        ("side", ""),
        ("since", "moment"),
        ("failed_at", "moment"),
        ("next_try_at", "moment"),
        ("run", ""),
    ),
)
ALL_PULLS: Final = Prepared(
    "ALL_PULLS",
    "SELECT pull_budget.registry, pull_budget.source, pull_budget.remaining, pull_budget.noted_at FROM pull_budget ORDER BY pull_budget.remaining DESC",
    (),
    (("registry", ""), ("source", ""), ("remaining", ""), ("noted_at", "moment")),
)
ALL_RULES: Final = Prepared(
    "ALL_RULES",
    "SELECT rule.name, rule.revision, rule.origin, rule.enabled, rule.definition FROM rule ORDER BY rule.name",
    (),
    (
        ("name", ""),
        ("revision", ""),
        ("origin", ""),
        ("enabled", "boolean"),
        ("definition", "json"),
    ),
)
CHANGE_RULE: Final = Prepared(
    "CHANGE_RULE",
    "UPDATE rule SET name=?, revision=?, origin=?, enabled=?, definition=? WHERE rule.name = ?",
    (
        ("name", ""),
        ("revision", ""),
        ("origin", ""),
        ("enabled", ""),
        ("definition", "json"),
        ("of_name", ""),
    ),
    (),
)
DROP_MY_UPLOAD: Final = Prepared(
    "DROP_MY_UPLOAD",
    "DELETE FROM upload_session WHERE upload_session.registry = ? AND upload_session.repository = ? AND upload_session.digest = ? AND upload_session.owner = ?",
    (("at_registry", ""), ("in_repository", ""), ("of_digest", ""), ("me", "")),
    (),
)
DROP_UPLOAD: Final = Prepared(
    "DROP_UPLOAD",
    "DELETE FROM upload_session WHERE upload_session.registry = ? AND upload_session.repository = ? AND upload_session.digest = ?",
    (("at_registry", ""), ("in_repository", ""), ("of_digest", "")),
    (),
)
END_RUN: Final = Prepared(
    "END_RUN",
    "UPDATE run SET state=?, finished_at=?, error=? WHERE run.number = ?",
    (("state", ""), ("finished_at", "moment"), ("error", ""), ("of_number", "")),
    (),
)
FAILING_OF_RULE: Final = Prepared(
    "FAILING_OF_RULE",
    "SELECT failing_tag.rule, failing_tag.registry, failing_tag.repository, failing_tag.tag, failing_tag.source, failing_tag.failures, failing_tag.kind, failing_tag.message, failing_tag.side, failing_tag.since, failing_tag.failed_at, failing_tag.next_try_at, failing_tag.run FROM failing_tag WHERE failing_tag.rule = ?",
    (("of_rule", ""),),
    (
        ("rule", ""),
        ("registry", ""),
        ("repository", ""),
        ("tag", ""),
        ("source", ""),
        ("failures", ""),
        ("kind", ""),
        ("message", ""),
        ("side", ""),
        ("since", "moment"),
        ("failed_at", "moment"),
        ("next_try_at", "moment"),
        ("run", ""),
    ),
)
FINISH_RUN: Final = Prepared(
    "FINISH_RUN",
    "UPDATE run SET state=?, finished_at=?, counts=?, bytes_moved=?, bytes_mounted=?, bytes_skipped=?, requests=?, error=? WHERE run.id = ?",
    (
        ("state", ""),
        ("finished_at", "moment"),
        ("counts", "json"),
        ("bytes_moved", ""),
        ("bytes_mounted", ""),
        ("bytes_skipped", ""),
        ("requests", "json"),
        ("error", ""),
        ("of_id", ""),
    ),
    (),
)
FORGET_BLOB: Final = Prepared(
    "FORGET_BLOB",
    "DELETE FROM blob_location WHERE blob_location.registry = ? AND blob_location.repository = ? AND blob_location.digest = ?",
    (("at_registry", ""), ("in_repository", ""), ("of_digest", "")),
    (),
)
FORGET_FAILING: Final = Prepared(
    "FORGET_FAILING",
    "DELETE FROM failing_tag WHERE failing_tag.rule = ? AND failing_tag.registry = ? AND failing_tag.repository = ? AND failing_tag.tag = ?",
    (("of_rule", ""), ("at_registry", ""), ("in_repository", ""), ("of_tag", "")),
    (),
)
FORGET_MISSING: Final = Prepared(
    "FORGET_MISSING",
    "DELETE FROM missing_tag WHERE missing_tag.rule = ? AND missing_tag.registry = ? AND missing_tag.repository = ? AND missing_tag.tag = ?",
    (("of_rule", ""), ("at_registry", ""), ("in_repository", ""), ("of_tag", "")),
    (),
)
FORGET_PLACES: Final = Prepared(
    "FORGET_PLACES",
    "DELETE FROM blob_location WHERE blob_location.registry = ? AND blob_location.repository = ?",
    (("at_registry", ""), ("in_repository", "")),
    (),
)
FORGET_REFUSED: Final = Prepared(
    "FORGET_REFUSED",
    "DELETE FROM refused_tag WHERE refused_tag.rule = ? AND refused_tag.registry = ? AND refused_tag.repository = ? AND refused_tag.tag = ?",
    (("of_rule", ""), ("at_registry", ""), ("in_repository", ""), ("of_tag", "")),
    (),
)
HOLDERS: Final = Prepared(
    "HOLDERS",
    "SELECT blob_location.digest, blob_location.repository FROM blob_location WHERE blob_location.registry = ? AND blob_location.digest IN (__[POSTCOMPILE_digests]) AND blob_location.confirmed_at >= ?",
    (("at_registry", ""), ("digests", "list"), ("since", "moment")),
    (("digest", ""), ("repository", "")),
)
KEEPS_A_RUN: Final = Prepared(
    "KEEPS_A_RUN",
    "SELECT run.number FROM run WHERE run.owner = ? AND run.finished_at IS NULL AND run.leased_until >= ?",
    (("of_owner", ""), ("now", "moment")),
    (("number", ""),),
)
KEEP_FACTS: Final = Prepared(
    "KEEP_FACTS",
    "INSERT INTO registry_facts (registry, kind, facts, probed_at) VALUES (?, ?, ?, ?) ON CONFLICT (registry) DO UPDATE SET kind = excluded.kind, facts = excluded.facts, probed_at = excluded.probed_at",
    (("registry", ""), ("kind", ""), ("facts", "json"), ("probed_at", "moment")),
    (),
)
KEEP_UPLOAD: Final = Prepared(
    "KEEP_UPLOAD",
    'INSERT INTO upload_session (registry, repository, digest, size, location, "offset", owner, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (registry, repository, digest) DO UPDATE SET size = excluded.size, location = excluded.location, "offset" = excluded."offset", owner = excluded.owner, updated_at = excluded.updated_at',
    (
        ("registry", ""),
        ("repository", ""),
        ("digest", ""),
        ("size", ""),
        ("location", ""),
        ("offset", ""),
        ("owner", ""),
        ("updated_at", "moment"),
    ),
    (),
)
KEPT_SETTINGS: Final = Prepared(
    "KEPT_SETTINGS",
    "SELECT registry.name, registry.settings FROM registry ORDER BY registry.name",
    (),
    (("name", ""), ("settings", "json")),
)
LAST_HASH: Final = Prepared(
    "LAST_HASH",
    "SELECT audit.hash FROM audit ORDER BY audit.id DESC LIMIT ? OFFSET ?",
    ((1, "constant"), (0, "constant")),
    (("hash", ""),),
)
LOCK_AUDIT: Final = Prepared("LOCK_AUDIT", "")
LOCK_RULES: Final = Prepared("LOCK_RULES", "")
MINE_AMONG: Final = Prepared(
    "MINE_AMONG",
    "SELECT run.id FROM run WHERE run.id IN (__[POSTCOMPILE_runs]) AND run.owner = ? AND run.finished_at IS NULL",
    (("runs", "list"), ("me", "")),
    (("id", ""),),
)
MISSING_OF_RULE: Final = Prepared(
    "MISSING_OF_RULE",
    "SELECT missing_tag.rule, missing_tag.registry, missing_tag.repository, missing_tag.tag, missing_tag.since, missing_tag.run FROM missing_tag WHERE missing_tag.rule = ?",
    (("of_rule", ""),),
    (
        ("rule", ""),
        ("registry", ""),
        ("repository", ""),
        ("tag", ""),
        ("since", "moment"),
        ("run", ""),
    ),
)
NOTE_FAILING: Final = Prepared(
    "NOTE_FAILING",
    "INSERT INTO failing_tag (rule, registry, repository, tag, source, failures, kind, message, side, since, failed_at, next_try_at, run) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (rule, registry, repository, tag) DO UPDATE SET source = excluded.source, failures = excluded.failures, kind = excluded.kind, message = excluded.message, side = excluded.side, since = excluded.since, failed_at = excluded.failed_at, next_try_at = excluded.next_try_at, run = excluded.run",
    (
        ("rule", ""),
        ("registry", ""),
        ("repository", ""),
        ("tag", ""),
        ("source", ""),
        ("failures", ""),
        ("kind", ""),
        ("message", ""),
        ("side", ""),
        ("since", "moment"),
        ("failed_at", "moment"),
        ("next_try_at", "moment"),
        ("run", ""),
    ),
    (),
)
NOTE_MISSING: Final = Prepared(
    "NOTE_MISSING",
    "INSERT INTO missing_tag (rule, registry, repository, tag, since, run) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (rule, registry, repository, tag) DO UPDATE SET since = excluded.since, run = excluded.run",
    (
        ("rule", ""),
        ("registry", ""),
        ("repository", ""),
        ("tag", ""),
        ("since", "moment"),
        ("run", ""),
    ),
    (),
)
NOTE_PULLS: Final = Prepared(
    "NOTE_PULLS",
    "INSERT INTO pull_budget (registry, source, remaining, noted_at) VALUES (?, ?, ?, ?) ON CONFLICT (registry, source) DO UPDATE SET remaining = excluded.remaining, noted_at = excluded.noted_at",
    (("registry", ""), ("source", ""), ("remaining", ""), ("noted_at", "moment")),
    (),
)
NOTE_REFUSED: Final = Prepared(
    "NOTE_REFUSED",
    "INSERT INTO refused_tag (rule, registry, repository, tag, source_digest, wanted, reason) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (rule, registry, repository, tag) DO UPDATE SET source_digest = excluded.source_digest, wanted = excluded.wanted, reason = excluded.reason",
    (
        ("rule", ""),
        ("registry", ""),
        ("repository", ""),
        ("tag", ""),
        ("source_digest", ""),
        ("wanted", ""),
        ("reason", ""),
    ),
    (),
)
NUMBER_OF_MINE: Final = Prepared(
    "NUMBER_OF_MINE",
    "SELECT run.number FROM run WHERE run.id = ? AND run.owner = ? AND run.finished_at IS NULL",
    (("run", ""), ("me", "")),
    (("number", ""),),
)
OLD_UPLOADS: Final = Prepared(
    "OLD_UPLOADS",
    'SELECT upload_session.registry, upload_session.repository, upload_session.digest, upload_session.size, upload_session.location, upload_session."offset", upload_session.owner, upload_session.updated_at FROM upload_session WHERE upload_session.updated_at < ? AND (upload_session.owner != ? OR upload_session.updated_at < ?)',
    (("old", "moment"), ("me", ""), ("very_old", "moment")),
    (
        ("registry", ""),
        ("repository", ""),
        ("digest", ""),
        ("size", ""),
        ("location", ""),
        ("offset", ""),
        ("owner", ""),
        ("updated_at", "moment"),
    ),
)
OTHERS_UNFINISHED: Final = Prepared(
    "OTHERS_UNFINISHED",
    "SELECT run.number, run.owner, run.leased_until, run.cancel_at FROM run WHERE run.finished_at IS NULL AND run.queued_at IS NULL AND run.owner != ?",
    (("me", ""),),
    (("number", ""), ("owner", ""), ("leased_until", "moment"), ("cancel_at", "moment")),
)
PUBLISHED_AT_KEYS: Final = Prepared(
    "PUBLISHED_AT_KEYS",
    "SELECT registry, repository, tag, source, source_digest, digest, scope, rule, run, sequence, published_at, confirmed_at, referrers_at FROM json_each(?) AS keys CROSS JOIN published_tag WHERE registry = json_extract(keys.value, '$[0]') AND repository = json_extract(keys.value, '$[1]') AND tag = json_extract(keys.value, '$[2]')",
    (("keys", ""),),
    (
        ("registry", ""),
        ("repository", ""),
        ("tag", ""),
        ("source", ""),
        ("source_digest", ""),
        ("digest", ""),
        ("scope", ""),
        ("rule", ""),
        ("run", ""),
        ("sequence", ""),
        ("published_at", "moment"),
        ("confirmed_at", "moment"),
        ("referrers_at", "moment"),
    ),
)
PUBLISHED_BY: Final = Prepared(
    "PUBLISHED_BY",
    "SELECT published_tag.registry, published_tag.repository, published_tag.tag, published_tag.source, published_tag.source_digest, published_tag.digest, published_tag.scope, published_tag.rule, published_tag.run, published_tag.sequence, published_tag.published_at, published_tag.confirmed_at, published_tag.referrers_at FROM published_tag WHERE published_tag.rule = ? ORDER BY published_tag.registry, published_tag.repository, published_tag.tag LIMIT ? OFFSET ?",
    (("of_rule", ""), ("limit", ""), (0, "constant")),
    (
        ("registry", ""),
        ("repository", ""),
        ("tag", ""),
        ("source", ""),
        ("source_digest", ""),
        ("digest", ""),
        ("scope", ""),
        ("rule", ""),
        ("run", ""),
        ("sequence", ""),
        ("published_at", "moment"),
        ("confirmed_at", "moment"),
        ("referrers_at", "moment"),
    ),
)
PUBLISHED_BY_AFTER: Final = Prepared(
    "PUBLISHED_BY_AFTER",
    "SELECT published_tag.registry, published_tag.repository, published_tag.tag, published_tag.source, published_tag.source_digest, published_tag.digest, published_tag.scope, published_tag.rule, published_tag.run, published_tag.sequence, published_tag.published_at, published_tag.confirmed_at, published_tag.referrers_at FROM published_tag WHERE published_tag.rule = ? AND (published_tag.registry, published_tag.repository, published_tag.tag) > (?, ?, ?) ORDER BY published_tag.registry, published_tag.repository, published_tag.tag LIMIT ? OFFSET ?",
    (
        ("of_rule", ""),
        ("after_registry", ""),
        ("after_repository", ""),
        ("after_tag", ""),
        ("limit", ""),
        (0, "constant"),
    ),
    (
        ("registry", ""),
        ("repository", ""),
        ("tag", ""),
        ("source", ""),
        ("source_digest", ""),
        ("digest", ""),
        ("scope", ""),
        ("rule", ""),
        ("run", ""),
        ("sequence", ""),
        ("published_at", "moment"),
        ("confirmed_at", "moment"),
        ("referrers_at", "moment"),
    ),
)
PUBLISHED_IN: Final = Prepared(
    "PUBLISHED_IN",
    "SELECT published_tag.registry, published_tag.repository, published_tag.tag, published_tag.source, published_tag.source_digest, published_tag.digest, published_tag.scope, published_tag.rule, published_tag.run, published_tag.sequence, published_tag.published_at, published_tag.confirmed_at, published_tag.referrers_at FROM published_tag WHERE published_tag.registry = ? AND published_tag.repository = ?",
    (("at_registry", ""), ("in_repository", "")),
    (
        ("registry", ""),
        ("repository", ""),
        ("tag", ""),
        ("source", ""),
        ("source_digest", ""),
        ("digest", ""),
        ("scope", ""),
        ("rule", ""),
        ("run", ""),
        ("sequence", ""),
        ("published_at", "moment"),
        ("confirmed_at", "moment"),
        ("referrers_at", "moment"),
    ),
)
PULLS_LEFT: Final = Prepared(
    "PULLS_LEFT",
    "SELECT pull_budget.remaining FROM pull_budget WHERE pull_budget.registry = ? AND pull_budget.source = ? AND pull_budget.noted_at > ?",
    (("at_registry", ""), ("of_source", ""), ("since", "moment")),
    (("remaining", ""),),
)
RECORD_BLOB: Final = Prepared(
    "RECORD_BLOB",
    "INSERT INTO blob_location (registry, digest, repository, size, confirmed_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (registry, digest, repository) DO UPDATE SET size = excluded.size, confirmed_at = excluded.confirmed_at WHERE excluded.confirmed_at > blob_location.confirmed_at",
    (
        ("registry", ""),
        ("digest", ""),
        ("repository", ""),
        ("size", ""),
        ("confirmed_at", "moment"),
    ),
    (),
)
RECORD_PUBLISHED: Final = Prepared(
    "RECORD_PUBLISHED",
    "INSERT INTO published_tag (registry, repository, tag, source, source_digest, digest, scope, rule, run, sequence, published_at, confirmed_at, referrers_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (registry, repository, tag) DO UPDATE SET source = excluded.source, source_digest = excluded.source_digest, digest = excluded.digest, scope = excluded.scope, rule = excluded.rule, run = excluded.run, sequence = excluded.sequence, published_at = excluded.published_at, confirmed_at = excluded.confirmed_at, referrers_at = excluded.referrers_at WHERE excluded.sequence >= published_tag.sequence",
    (
        ("registry", ""),
        ("repository", ""),
        ("tag", ""),
        ("source", ""),
        ("source_digest", ""),
        ("digest", ""),
        ("scope", ""),
        ("rule", ""),
        ("run", ""),
        ("sequence", ""),
        ("published_at", "moment"),
        ("confirmed_at", "moment"),
        ("referrers_at", "moment"),
    ),
    (),
)
REFUSED_OF_RULE: Final = Prepared(
    "REFUSED_OF_RULE",
    "SELECT refused_tag.rule, refused_tag.registry, refused_tag.repository, refused_tag.tag, refused_tag.source_digest, refused_tag.wanted, refused_tag.reason FROM refused_tag WHERE refused_tag.rule = ?",
    (("of_rule", ""),),
    (
        ("rule", ""),
        ("registry", ""),
        ("repository", ""),
        ("tag", ""),
        ("source_digest", ""),
        ("wanted", ""),
        ("reason", ""),
    ),
)
REMOVE_PUBLISHED: Final = Prepared(
    "REMOVE_PUBLISHED",
    "DELETE FROM published_tag WHERE published_tag.registry = ? AND published_tag.repository = ? AND published_tag.tag IN (__[POSTCOMPILE_tags])",
    (("at_registry", ""), ("in_repository", ""), ("tags", "list")),
    (),
)
REMOVE_RULE: Final = Prepared(
    "REMOVE_RULE", "DELETE FROM rule WHERE rule.name = ?", (("of_name", ""),), ()
)
RENEW_RUNS: Final = Prepared(
    "RENEW_RUNS",
    "UPDATE run SET leased_until=? WHERE run.id IN (__[POSTCOMPILE_runs]) AND run.owner = ? AND run.finished_at IS NULL",
    (("leased_until", "moment"), ("runs", "list"), ("me", "")),
    (),
)
REVISION: Final = Prepared(
    "REVISION", "SELECT version_num FROM alembic_version", (), (("version_num", ""),)
)
RULE: Final = Prepared(
    "RULE",
    "SELECT rule.name, rule.revision, rule.origin, rule.enabled, rule.definition FROM rule WHERE rule.name = ?",
    (("of_name", ""),),
    (
        ("name", ""),
        ("revision", ""),
        ("origin", ""),
        ("enabled", "boolean"),
        ("definition", "json"),
    ),
)
RULES_WITH_NOTES: Final = Prepared(
    "RULES_WITH_NOTES",
    "SELECT failing_tag.rule FROM failing_tag WHERE failing_tag.rule IN (__[POSTCOMPILE_rules]) UNION SELECT missing_tag.rule FROM missing_tag WHERE missing_tag.rule IN (__[POSTCOMPILE_rules]) UNION SELECT refused_tag.rule FROM refused_tag WHERE refused_tag.rule IN (__[POSTCOMPILE_rules])",
    (("rules", "list"), ("rules", "list"), ("rules", "list")),
    (("rule", ""),),
)
RUNS_TO_CANCEL: Final = Prepared(
    "RUNS_TO_CANCEL",
    "SELECT run.id FROM run WHERE run.owner = ? AND run.finished_at IS NULL AND run.cancel_at IS NOT NULL",
    (("me", ""),),
    (("id", ""),),
)
SAVE_ACTION: Final = Prepared(
    "SAVE_ACTION",
    "INSERT INTO action (run, registry, repository, tag, decision, reason, source, source_digest, digest, outcome, error_kind, error_message, error_side, error_status, error_code, attempts, bytes_moved, bytes_mounted, bytes_skipped) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run, registry, repository, tag) DO UPDATE SET decision = excluded.decision, reason = excluded.reason, source = excluded.source, source_digest = excluded.source_digest, digest = excluded.digest, outcome = excluded.outcome, error_kind = excluded.error_kind, error_message = excluded.error_message, error_side = excluded.error_side, error_status = excluded.error_status, error_code = excluded.error_code, attempts = excluded.attempts, bytes_moved = excluded.bytes_moved, bytes_mounted = excluded.bytes_mounted, bytes_skipped = excluded.bytes_skipped",
    (
        ("run", ""),
        ("registry", ""),
        ("repository", ""),
        ("tag", ""),
        ("decision", ""),
        ("reason", ""),
        ("source", ""),
        ("source_digest", ""),
        ("digest", ""),
        ("outcome", ""),
        ("error_kind", ""),
        ("error_message", ""),
        ("error_side", ""),
        ("error_status", ""),
        ("error_code", ""),
        ("attempts", ""),
        ("bytes_moved", ""),
        ("bytes_mounted", ""),
        ("bytes_skipped", ""),
    ),
    (),
)
SERVES: Final = Prepared(
    "SERVES",
    "SELECT service.owner FROM service WHERE service.owner = ? AND service.seen_at >= ?",
    (("of_owner", ""), ("since", "moment")),
    (("owner", ""),),
)
TABLES: Final = Prepared(
    "TABLES",
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*'",
    (),
    (("name", ""),),
)
TAKEN_RUNS: Final = Prepared(
    "TAKEN_RUNS",
    "SELECT run.id FROM run WHERE run.id IN (__[POSTCOMPILE_runs]) AND run.owner != ?",
    (("runs", "list"), ("me", "")),
    (("id", ""),),
)
TAKE_PULL: Final = Prepared(
    "TAKE_PULL",
    "UPDATE pull_budget SET remaining=(pull_budget.remaining - ?) WHERE pull_budget.registry = ? AND pull_budget.source = ?",
    ((1, "constant"), ("at_registry", ""), ("of_source", "")),
    (),
)
TAKE_UPLOAD: Final = Prepared(
    "TAKE_UPLOAD",
    "UPDATE upload_session SET owner=?, updated_at=? WHERE upload_session.registry = ? AND upload_session.repository = ? AND upload_session.digest = ?",
    (
        ("owner", ""),
        ("updated_at", "moment"),
        ("at_registry", ""),
        ("in_repository", ""),
        ("of_digest", ""),
    ),
    (),
)
TELL: Final = Prepared("TELL", "")
UPLOAD: Final = Prepared(
    "UPLOAD",
    'SELECT upload_session.registry, upload_session.repository, upload_session.digest, upload_session.size, upload_session.location, upload_session."offset", upload_session.owner, upload_session.updated_at FROM upload_session WHERE upload_session.registry = ? AND upload_session.repository = ? AND upload_session.digest = ?',
    (("at_registry", ""), ("in_repository", ""), ("of_digest", "")),
    (
        ("registry", ""),
        ("repository", ""),
        ("digest", ""),
        ("size", ""),
        ("location", ""),
        ("offset", ""),
        ("owner", ""),
        ("updated_at", "moment"),
    ),
)
SCHEMA: Final = (
    "CREATE TABLE registry (\n\tname TEXT NOT NULL, \n\tkind TEXT NOT NULL, \n\tsettings JSON NOT NULL, \n\tupdated_at DATETIME NOT NULL, \n\tCONSTRAINT pk_registry PRIMARY KEY (name)\n)",
    "CREATE TABLE rule (\n\tname TEXT NOT NULL, \n\trevision INTEGER NOT NULL, \n\torigin TEXT NOT NULL, \n\tenabled BOOLEAN NOT NULL, \n\tdefinition JSON NOT NULL, \n\tCONSTRAINT pk_rule PRIMARY KEY (name), \n\tCONSTRAINT ck_rule_origin CHECK (origin IN ('file', 'api'))\n)",
    "CREATE TABLE run (\n\tnumber INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, \n\tid TEXT NOT NULL, \n\trule TEXT NOT NULL, \n\tsnapshot JSON NOT NULL, \n\t\"trigger\" TEXT NOT NULL, \n\tstate TEXT NOT NULL, \n\towner TEXT NOT NULL, \n\tleased_until DATETIME NOT NULL, \n\tstarted_at DATETIME NOT NULL, \n\tfinished_at DATETIME, \n\tcounts JSON NOT NULL, \n\tbytes_moved BIGINT NOT NULL, \n\tbytes_mounted BIGINT NOT NULL, \n\tbytes_skipped BIGINT NOT NULL, \n\trequests JSON NOT NULL, \n\terror TEXT NOT NULL, \n\tqueued_at DATETIME, \n\tattempt INTEGER DEFAULT '0' NOT NULL, \n\tcancel_at DATETIME, \n\tonly JSON, \n\tretry BOOLEAN DEFAULT false NOT NULL, \n\tCONSTRAINT uq_run_id UNIQUE (id), \n\tCONSTRAINT ck_run_state CHECK (state IN ('queued', 'running', 'succeeded', 'partial', 'failed', 'cancelled', 'empty')), \n\tCONSTRAINT ck_run_finished CHECK ((finished_at IS NULL) = (state IN ('queued', 'running')))\n)",
    "CREATE TABLE rule_fire (\n\trule TEXT NOT NULL, \n\tfire_at DATETIME NOT NULL, \n\toutcome TEXT NOT NULL, \n\trun TEXT, \n\tcoalesced INTEGER NOT NULL, \n\tdecided_at DATETIME NOT NULL, \n\tCONSTRAINT pk_rule_fire PRIMARY KEY (rule, fire_at), \n\tCONSTRAINT ck_rule_fire_outcome CHECK (outcome IN ('run', 'skipped_overlap')), \n\tCONSTRAINT ck_rule_fire_run CHECK ((run IS NOT NULL) = (outcome = 'run'))\n)\n WITHOUT ROWID",
    "CREATE TABLE rule_clock (\n\trule TEXT NOT NULL, \n\tschedule TEXT NOT NULL, \n\ttimezone TEXT NOT NULL, \n\tsince DATETIME NOT NULL, \n\tsettled_until DATETIME NOT NULL, \n\tCONSTRAINT pk_rule_clock PRIMARY KEY (rule)\n)\n WITHOUT ROWID",
    "CREATE TABLE service (\n\towner TEXT NOT NULL, \n\tstarted_at DATETIME NOT NULL, \n\tseen_at DATETIME NOT NULL, \n\tworks BOOLEAN DEFAULT 1 NOT NULL, \n\tCONSTRAINT pk_service PRIMARY KEY (owner)\n)\n WITHOUT ROWID",
    "CREATE TABLE published_tag (\n\tregistry TEXT NOT NULL, \n\trepository TEXT NOT NULL, \n\ttag TEXT NOT NULL, \n\tsource TEXT NOT NULL, \n\tsource_digest TEXT NOT NULL, \n\tdigest TEXT NOT NULL, \n\tscope TEXT NOT NULL, \n\trule TEXT NOT NULL, \n\trun TEXT NOT NULL, \n\tsequence BIGINT NOT NULL, \n\tpublished_at DATETIME NOT NULL, \n\tconfirmed_at DATETIME NOT NULL, \n\treferrers_at DATETIME, \n\tCONSTRAINT pk_published_tag PRIMARY KEY (registry, repository, tag)\n)\n WITHOUT ROWID",
    "CREATE TABLE blob_location (\n\tregistry TEXT NOT NULL, \n\tdigest TEXT NOT NULL, \n\trepository TEXT NOT NULL, \n\tsize BIGINT NOT NULL, \n\tconfirmed_at DATETIME NOT NULL, \n\tCONSTRAINT pk_blob_location PRIMARY KEY (registry, digest, repository)\n)\n WITHOUT ROWID",
    "CREATE TABLE failing_tag (\n\trule TEXT NOT NULL, \n\tregistry TEXT NOT NULL, \n\trepository TEXT NOT NULL, \n\ttag TEXT NOT NULL, \n\tsource TEXT NOT NULL, \n\tfailures INTEGER NOT NULL, \n\tkind TEXT NOT NULL, \n\tmessage TEXT NOT NULL, \n\tside TEXT NOT NULL, \n\tsince DATETIME NOT NULL, \n\tfailed_at DATETIME NOT NULL, \n\tnext_try_at DATETIME NOT NULL, \n\trun TEXT NOT NULL, \n\tCONSTRAINT pk_failing_tag PRIMARY KEY (rule, registry, repository, tag)\n)\n WITHOUT ROWID",
    "CREATE TABLE missing_tag (\n\trule TEXT NOT NULL, \n\tregistry TEXT NOT NULL, \n\trepository TEXT NOT NULL, \n\ttag TEXT NOT NULL, \n\tsince DATETIME NOT NULL, \n\trun TEXT NOT NULL, \n\tCONSTRAINT pk_missing_tag PRIMARY KEY (rule, registry, repository, tag)\n)\n WITHOUT ROWID",
    "CREATE TABLE refused_tag (\n\trule TEXT NOT NULL, \n\tregistry TEXT NOT NULL, \n\trepository TEXT NOT NULL, \n\ttag TEXT NOT NULL, \n\tsource_digest TEXT NOT NULL, \n\twanted TEXT NOT NULL, \n\treason TEXT NOT NULL, \n\tCONSTRAINT pk_refused_tag PRIMARY KEY (rule, registry, repository, tag)\n)\n WITHOUT ROWID",
    "CREATE TABLE registry_facts (\n\tregistry TEXT NOT NULL, \n\tkind TEXT NOT NULL, \n\tfacts JSON NOT NULL, \n\tprobed_at DATETIME NOT NULL, \n\tCONSTRAINT pk_registry_facts PRIMARY KEY (registry)\n)\n WITHOUT ROWID",
    'CREATE TABLE upload_session (\n\tregistry TEXT NOT NULL, \n\trepository TEXT NOT NULL, \n\tdigest TEXT NOT NULL, \n\tsize BIGINT NOT NULL, \n\tlocation TEXT NOT NULL, \n\t"offset" BIGINT NOT NULL, \n\towner TEXT NOT NULL, \n\tupdated_at DATETIME NOT NULL, \n\tCONSTRAINT pk_upload_session PRIMARY KEY (registry, repository, digest)\n)\n WITHOUT ROWID',
    "CREATE TABLE credential (\n\tname TEXT NOT NULL, \n\thost TEXT NOT NULL, \n\tusername TEXT NOT NULL, \n\tsealed BLOB, \n\tkey_id TEXT NOT NULL, \n\tversion INTEGER NOT NULL, \n\tupdated_at DATETIME NOT NULL, \n\tCONSTRAINT pk_credential PRIMARY KEY (name)\n)",
    "CREATE TABLE api_token (\n\tid TEXT NOT NULL, \n\tname TEXT NOT NULL, \n\thash BLOB NOT NULL, \n\trole TEXT NOT NULL, \n\tpatterns JSON, \n\tcreated_at DATETIME NOT NULL, \n\texpires_at DATETIME, \n\trevoked_at DATETIME, \n\tused_at DATETIME, \n\tCONSTRAINT pk_api_token PRIMARY KEY (id), \n\tCONSTRAINT uq_api_token_name UNIQUE (name), \n\tCONSTRAINT uq_api_token_hash UNIQUE (hash)\n)",
    "CREATE TABLE page_session (\n\thash BLOB NOT NULL, \n\tsubject TEXT NOT NULL, \n\trole TEXT NOT NULL, \n\tpatterns JSON, \n\tcsrf TEXT NOT NULL, \n\ttoken TEXT, \n\tcreated_at DATETIME NOT NULL, \n\tseen_at DATETIME NOT NULL, \n\texpires_at DATETIME NOT NULL, \n\tCONSTRAINT pk_page_session PRIMARY KEY (hash)\n)",
    "CREATE TABLE audit (\n\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, \n\tat DATETIME NOT NULL, \n\tactor TEXT NOT NULL, \n\tvia TEXT NOT NULL, \n\taction TEXT NOT NULL, \n\tkind TEXT NOT NULL, \n\tname TEXT NOT NULL, \n\told JSON, \n\tnew JSON, \n\tprevious_hash TEXT NOT NULL, \n\thash TEXT NOT NULL\n)",
    'CREATE TABLE idempotent_answer (\n\t"key" TEXT NOT NULL, \n\tactor TEXT NOT NULL, \n\trequest_hash TEXT NOT NULL, \n\tstatus INTEGER NOT NULL, \n\tbody JSON NOT NULL, \n\tat DATETIME NOT NULL, \n\tCONSTRAINT pk_idempotent_answer PRIMARY KEY ("key", actor)\n)\n WITHOUT ROWID',
    "CREATE TABLE notification (\n\tchannel TEXT NOT NULL, \n\trule TEXT NOT NULL, \n\ttopic TEXT NOT NULL, \n\tstate TEXT NOT NULL, \n\ttold TEXT NOT NULL, \n\tsince DATETIME NOT NULL, \n\trun INTEGER NOT NULL, \n\ttold_at DATETIME, \n\tpending JSON, \n\tis_pending BOOLEAN NOT NULL, \n\tattempts INTEGER NOT NULL, \n\tnext_try_at DATETIME NOT NULL, \n\terror TEXT NOT NULL, \n\tCONSTRAINT pk_notification PRIMARY KEY (channel, rule, topic)\n)\n WITHOUT ROWID",
    "CREATE TABLE dirty_repository (\n\trule TEXT NOT NULL, \n\tregistry TEXT NOT NULL, \n\trepository TEXT NOT NULL, \n\tmarked_at DATETIME NOT NULL, \n\trun TEXT, \n\tfailures INTEGER NOT NULL, \n\tnext_try_at DATETIME NOT NULL, \n\tCONSTRAINT pk_dirty_repository PRIMARY KEY (rule, registry, repository)\n)\n WITHOUT ROWID",
    "CREATE TABLE pull_budget (\n\tregistry TEXT NOT NULL, \n\tsource TEXT NOT NULL, \n\tremaining INTEGER NOT NULL, \n\tnoted_at DATETIME NOT NULL, \n\tCONSTRAINT pk_pull_budget PRIMARY KEY (registry, source)\n)\n WITHOUT ROWID",
    "CREATE TABLE request_sum (\n\thour TEXT NOT NULL, \n\tregistry TEXT NOT NULL, \n\tkind TEXT NOT NULL, \n\tnumber BIGINT NOT NULL, \n\tCONSTRAINT pk_request_sum PRIMARY KEY (hour, registry, kind)\n)\n WITHOUT ROWID",
    "CREATE TABLE action (\n\trun INTEGER NOT NULL, \n\tregistry TEXT NOT NULL, \n\trepository TEXT NOT NULL, \n\ttag TEXT NOT NULL, \n\tdecision TEXT NOT NULL, \n\treason TEXT NOT NULL, \n\tsource TEXT NOT NULL, \n\tsource_digest TEXT, \n\tdigest TEXT, \n\toutcome TEXT NOT NULL, \n\terror_kind TEXT, \n\terror_message TEXT, \n\terror_side TEXT, \n\terror_status INTEGER, \n\terror_code TEXT, \n\tattempts INTEGER NOT NULL, \n\tbytes_moved BIGINT NOT NULL, \n\tbytes_mounted BIGINT NOT NULL, \n\tbytes_skipped BIGINT NOT NULL, \n\tCONSTRAINT pk_action PRIMARY KEY (run, registry, repository, tag), \n\tCONSTRAINT ck_action_decision CHECK (decision IN ('copy', 'skip', 'conflict', 'blocked', 'prune')), \n\tCONSTRAINT ck_action_outcome CHECK (outcome IN ('pending', 'written', 'unchanged', 'failed')), \n\tCONSTRAINT ck_action_error CHECK ((error_kind IS NOT NULL) = (outcome = 'failed')), \n\tCONSTRAINT fk_action_run_run FOREIGN KEY(run) REFERENCES run (number) ON DELETE CASCADE\n)\n WITHOUT ROWID",
    "CREATE TABLE item (\n\trun INTEGER NOT NULL, \n\tn INTEGER NOT NULL, \n\tkind TEXT NOT NULL, \n\trule TEXT NOT NULL, \n\trepositories JSON NOT NULL, \n\ttags JSON, \n\tpriority INTEGER NOT NULL, \n\tturn BIGINT NOT NULL, \n\tstate TEXT NOT NULL, \n\towner TEXT NOT NULL, \n\tattempt INTEGER NOT NULL, \n\tlosses INTEGER NOT NULL, \n\tleased_until DATETIME, \n\tdue_at DATETIME, \n\tqueued_at DATETIME NOT NULL, \n\tsent_at DATETIME NOT NULL, \n\tfinished_at DATETIME, \n\tsummary JSON, \n\tCONSTRAINT pk_item PRIMARY KEY (run, n), \n\tCONSTRAINT ck_item_kind CHECK (kind IN ('listing', 'copying', 'closing')), \n\tCONSTRAINT ck_item_state CHECK (state IN ('waiting', 'deferred', 'running', 'done')), \n\tCONSTRAINT ck_item_owner CHECK ((owner <> '') = (state = 'running')), \n\tCONSTRAINT ck_item_lease CHECK ((leased_until IS NOT NULL) = (state = 'running')), \n\tCONSTRAINT ck_item_due CHECK ((due_at IS NOT NULL) = (state = 'deferred')), \n\tCONSTRAINT fk_item_run_run FOREIGN KEY(run) REFERENCES run (number) ON DELETE CASCADE\n)\n WITHOUT ROWID",
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))",
    "INSERT INTO alembic_version VALUES ('0008')",
    "CREATE INDEX ix_audit_kind_name ON audit (kind, name)",
    "CREATE INDEX ix_item_due ON item (due_at) WHERE state = 'deferred'",
    "CREATE INDEX ix_item_last_try ON item (priority, turn, run, n) WHERE state = 'waiting' AND losses > 1",
    "CREATE INDEX ix_item_next ON item (priority, turn, run, n) WHERE state = 'waiting'",
    "CREATE INDEX ix_item_owner ON item (owner) WHERE state = 'running'",
    "CREATE INDEX ix_item_unfinished ON item (run) WHERE state != 'done'",
    "CREATE INDEX ix_published_tag_digest ON published_tag (digest)",
    "CREATE INDEX ix_published_tag_source_digest ON published_tag (source_digest) WHERE source_digest != digest",
    "CREATE INDEX ix_run_rule_number ON run (rule, number)",
    "CREATE UNIQUE INDEX uq_run_active ON run (rule) WHERE finished_at IS NULL",
)
