"""Reports of runs as people read them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any, Final

from replicator.cli.messages import complain
from replicator.cli.output import table_lines
from replicator.cli.text import plural, seconds_text, size_text
from replicator.oci.reference import Tag
from replicator.planning.plan import Action, Decision
from replicator.service.records.report import RunReport
from replicator.transfer.order import Tally

REPORT_HEADER: Final = (
    *("RULE", "TAGS COPIED", "IN STEP"),
    *("BLOBS MOVED", "MOUNTED", "SKIPPED", "TOOK"),
)


# sha256-….sig, and its like.
_DIGEST_TAG: Final = r"^(sha(?:256|512)-[0-9a-f]{12})[0-9a-f]{52,}"


def run_text(report: RunReport) -> str:
    """Return one line that says what a run did and what that took."""
    seconds = (report.finished_at - report.started_at).total_seconds()
    requests = sum(sum(kinds.values()) for kinds in report.requests.values())
    parts = [
        f"{report.rule}: {report.state}",
        _tags(report),
        _blobs(report.tally),
        f"{plural(requests, 'request')} in {seconds_text(seconds)}",
        f"run {report.run}" if report.run else "",
    ]
    return " · ".join(filter(None, parts))


def report_row(report: RunReport) -> tuple[object, ...]:
    """Return what a run did as a row of a table."""
    counts, tally = report.counts, report.tally
    return (
        report.rule,
        counts.get("copied", 0),
        counts.get("skipped", 0),
        f"{tally.blobs_moved}, {size_text(tally.bytes_moved)}",
        f"{tally.blobs_mounted}, {size_text(tally.bytes_mounted)}",
        f"{tally.blobs_skipped}, {size_text(tally.bytes_skipped)}",
        seconds_text((report.finished_at - report.started_at).total_seconds()),
    )


def plan_text(report: RunReport) -> Iterator[str]:
    """Yield the lines of a plan: each tag with what would be done, and why."""
    yield f"{report.rule}: {_decisions(report)}"
    rows = [
        *(map(_plan_row, report.actions)),
        *(("out", each.source, "", "", each.reason) for each in report.left_out),
    ]
    yield from table_lines(("", "SOURCE", "DESTINATION", "SIZE", "WHY"), rows)


def plan_json(report: RunReport) -> dict[str, Any]:
    """Return a plan for programs."""
    return {
        "rule": report.rule,
        "state": report.state.value,
        "actions": list(map(_action_json, report.actions)),
        "left_out": [{"source": each.source, "reason": each.reason} for each in report.left_out],
        "failures": [failure.to_json() for failure in report.failures],
    }


def complain_of(report: RunReport, announced: Collection[tuple[str, str]]) -> None:
    """Say what went wrong, as far as it has not been said when it happened."""
    if report.error:
        # Why a run could not begin may begin with the rule, as it is said elsewhere by itself.
        error = report.error.removeprefix(f"rule {report.rule!r} ")
        complain(f"{report.rule}: {error}")
    for failure in report.failures:
        if (failure.destination, failure.tag) in announced:
            continue
        goal = f" → {failure.destination}:{failure.tag}" if failure.tag else ""
        # What could not be listed is what the message begins with, as a rule.
        message = failure.error.message.removeprefix(f"{failure.source}: ")
        complain(f"{failure.source}{goal}: {message}")


def _tags(report: RunReport) -> str:
    counts = report.counts
    names = ("failed", "blocked", "conflict", "deferred", "gone", "pruned")
    troubles = [f"{counts[name]:,} {name}" for name in names if counts.get(name)]
    return ", ".join(
        [
            f"{plural(counts.get('copied', 0), 'tag')} copied",
            f"{counts.get('skipped', 0):,} in step",
            *troubles,
        ]
    )


def _blobs(tally: Tally) -> str:
    if not tally.blobs_moved and not tally.blobs_mounted:
        return "0 blobs sent"
    moved = plural(tally.blobs_moved, "blob")
    text = f"{moved} moved ({size_text(tally.bytes_moved)})"
    if tally.blobs_mounted:
        text += f", {tally.blobs_mounted:,} mounted ({size_text(tally.bytes_mounted)})"
    if tally.blobs_skipped:
        text += f", {tally.blobs_skipped:,} skipped ({size_text(tally.bytes_skipped)})"
    return text


def _decisions(report: RunReport) -> str:
    numbers = {
        decision: sum(action.decision is decision for action in report.actions)
        for decision in Decision
    }
    texts = [f"{number:,} to {decision}" for decision, number in numbers.items() if number]
    size = sum(action.size or 0 for action in report.actions if action.decision is Decision.COPY)
    if size:
        texts.append(f"about {size_text(size)}")
    texts += _unseen(report)
    return ", ".join(texts) or "no tags"


def _unseen(report: RunReport) -> Iterator[str]:
    """Say of what nothing could be decided; the complaints say why."""
    decided = {(str(action.destination), action.tag) for action in report.actions}
    tags = [(each.destination, each.tag) for each in report.failures if each.tag]
    if number := sum(tag not in decided for tag in tags):
        yield f"{plural(number, 'tag')} could not be looked at"
    if len(tags) < len(report.failures):
        yield "not all tags could be listed"


def _plan_row(action: Action) -> tuple[str, ...]:
    source = "" if action.source is None else f"{action.source}:{_short_tag(action.source_tag)}"
    return (
        action.decision.value,
        source,
        f"{action.destination}:{_short_tag(action.tag)}",
        "" if action.size is None else size_text(action.size),
        action.reason,
    )


def _short_tag(tag: Tag | None) -> str:
    """Return a tag; of one that is made of a digest, as cosign's are, as much as tells it apart."""
    return re.sub(_DIGEST_TAG, lambda found: f"{found[1]}…", str(tag))


def _action_json(action: Action) -> dict[str, Any]:
    return {
        "decision": action.decision.value,
        "reason": action.reason,
        "source": _source(action),
        "destination": str(action.destination),
        "tag": str(action.tag),
        "digest": None if action.digest is None else str(action.digest),
        "size": action.size,
    }


def _source(action: Action) -> str:
    return "" if action.source is None else f"{action.source}:{action.source_tag}"
