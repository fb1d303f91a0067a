"""OneOff: copies that no rule asks for, with a report in the form of a run's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from replicator.oci.platform import Platform
from replicator.oci.reference import Reference
from replicator.service.outside.protocols import Copier
from replicator.service.outside.registries import Registries
from replicator.service.outside.requests import RequestCounts, by_name, counted_requests
from replicator.service.records.report import (
    COUNTS,
    RunReport,
    TagCopied,
    TagFailure,
    count_of,
    describe_error,
)
from replicator.service.running.copying import copy_once
from replicator.service.running.left_behind import left_behind, prefixed
from replicator.store.records import RunState
from replicator.transfer.order import Result, Tally
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What a copy did: ``results`` for each destination, ``run`` for all of them together.

    ``left_behind`` says which referrers did not come along, as the image was cut down.
    """

    source: str
    results: Sequence[Result]
    run: RunReport
    left_behind: str = ""


class OneOff:
    """Copies images without rules and without a database; *clock* is in UTC."""

    def __init__(
        self, *, registries: Registries, copier: Copier, clock: Callable[[], datetime]
    ) -> None:
        self._registries = registries
        self._copier = copier
        self._clock = clock

    async def copy(
        self,
        source: Reference,
        destinations: Sequence[Reference],
        *,
        platforms: Sequence[Platform] = (),
        referrers: bool = True,
    ) -> CopyReport:
        """Copy one image, and report what that took. Raises ConfigError; see copy_once."""
        started_at = self._clock()
        with counted_requests() as requests:
            results = await copy_once(
                source,
                destinations,
                registries=self._registries,
                copier=self._copier,
                platforms=platforms,
                referrers=referrers,
            )
            lacks = ""
            if referrers:
                lacks = await left_behind(self._registries.repository(source.repository), results)
        name = _name(source)
        run = _run_report(name, results, requests, started_at, self._clock())
        return CopyReport(name, results, replace(run, copied=_copied(name, results, lacks)), lacks)


def _name(source: Reference) -> str:
    """Return what is read; where there is a digest, that and not the tag decides."""
    mark = ":" if source.digest is None else "@"
    return f"{source.repository}{mark}{source.manifest}"


def _run_report(
    source: str,
    results: Sequence[Result],
    requests: RequestCounts,
    started_at: datetime,
    finished_at: datetime,
) -> RunReport:
    """Report all destinations as one run, which has neither a rule nor an id."""
    found = Counter(map(_count, results))
    counts = {**dict.fromkeys(COUNTS, 0), **found, "selected": len(results)}
    return RunReport(
        "",
        _state(counts),
        started_at,
        finished_at,
        counts=counts,
        tally=_sum(results),
        requests=by_name(requests),
        failures=tuple(
            TagFailure(
                source,
                str(result.destination),
                str(result.tag),
                describe_error(result.error, side=result.side),
                result.attempts,
            )
            for result in results
            if result.error is not None
        ),
    )


def _copied(source: str, results: Sequence[Result], lacks: str) -> tuple[TagCopied, ...]:
    return tuple(
        TagCopied(
            source,
            str(result.destination),
            str(result.tag),
            str(result.digest),
            f"asked for{prefixed(lacks)}",
        )
        for result in results
        if result.written
    )


def _count(result: Result) -> str:
    if result.error is not None:
        return count_of(result.error)
    return "copied" if result.written else "skipped"


def _state(counts: Mapping[str, int]) -> RunState:
    succeeded = counts["copied"] + counts["skipped"]
    if succeeded == counts["selected"]:
        return RunState.SUCCEEDED
    only_later = succeeded + counts["deferred"] == counts["selected"]
    return RunState.PARTIAL if succeeded or only_later else RunState.FAILED


def _sum(results: Sequence[Result]) -> Tally:
    total = Tally()
    for result in results:
        total.add(result.tally)
    return total
