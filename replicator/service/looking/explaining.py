"""Explainer: why a tag is where it is, or is not, as a source or as a destination."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from replicator.errors import InvalidReference, NotFound, ReplicatorError
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.backoff import Failing
from replicator.planning.inverse import (
    becomes,
    guessed_sources,
    guessed_tag,
    may_lead_to,
    routes_to,
)
from replicator.planning.observation import Published, SourceTag
from replicator.planning.prepared import PreparedRule, Wanted, prepare
from replicator.planning.pruning import Missing
from replicator.planning.rule import Rule
from replicator.planning.selection import Verdict
from replicator.service.looking.discovering import discover
from replicator.service.looking.listing import TagListing
from replicator.service.outside.protocols import Ledger, Notes
from replicator.service.outside.registries import Registries
from replicator.store.records import ActionRecord, RunRecord
from replicator.values import dataclass


class History(Protocol):
    """Knows the past of a tag."""

    async def last_action(
        self, destination: RepositoryName, tag: Tag
    ) -> tuple[RunRecord, ActionRecord] | None:
        """Return what was last written down about a destination tag."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """A destination tag: what the ledger, the notes and the history know of it."""

    destination: RepositoryName
    tag: Tag
    published: Published | None
    failing: Failing | None = None
    missing: Missing | None = None
    refused: str = ""
    last: tuple[RunRecord, ActionRecord] | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one rule has to do with a tag.

    ``selected`` is None where the rule only once published it. ``places`` are where it goes, or
    went.
    """

    rule: str
    source: str
    selected: bool | None
    reason: str
    places: Sequence[Place] = ()


class Explainer:
    """Answers what has become of a tag, and why."""

    def __init__(
        self,
        *,
        registries: Registries,
        ledger: Ledger,
        notes: Notes,
        history: History,
        clock: Callable[[], datetime],
    ) -> None:
        self._registries = registries
        self._ledger = ledger
        self._notes = notes
        self._history = history
        self._clock = clock

    async def explain(
        self, repository: RepositoryName, tag: Tag, rules: Sequence[Rule]
    ) -> tuple[Explanation, ...]:
        """Return what each of *rules* has to do with a tag that is a source, or a destination.

        The source is listed only where a rule goes by age or by what is latest. Raises
        StoreError, ConfigError.
        """
        prepared = [prepare(rule) for rule in rules]
        found = [
            await self._as_source(rule, repository, tag)
            for rule in prepared
            if rule.source.match(repository) is not None
        ]
        row = await self._row(repository, tag)
        if row is None:
            return (*found, *[each async for each in self._unpublished(prepared, repository, tag)])
        origin, _, source_tag = row.source.rpartition(":")
        by_name = {rule.rule.name: rule for rule in prepared}
        rule = by_name.get(row.rule)
        if rule is not None and rule.source.match(RepositoryName.parse(origin)) is not None:
            explained = await self._as_source(
                rule, RepositoryName.parse(origin), Tag(source_tag), only=(repository, tag)
            )
            return (explained, *found)
        place = await self._place(row.rule, repository, tag)
        why = "there is no such rule any more" if rule is None else "the rule reads it no longer"
        return (Explanation(row.rule, row.source, None, why, (place,)), *found)

    async def _as_source(
        self,
        rule: PreparedRule,
        repository: RepositoryName,
        tag: Tag,
        *,
        only: tuple[RepositoryName, Tag] | None = None,
    ) -> Explanation:
        verdict = await self._verdict(rule, repository, tag)
        wanted = list(_wanted(rule, repository, verdict))
        keys = [(each.destination, each.tag) for each in wanted]
        if only is not None:
            keys = [only]
        places = [await self._place(rule.rule.name, *key) for key in keys]
        return Explanation(
            rule.rule.name,
            f"{repository}:{tag}",
            verdict.selected,
            verdict.reason,
            places if verdict.selected or only else [each for each in places if each.published],
        )

    async def _unpublished(
        self, rules: Iterable[PreparedRule], repository: RepositoryName, tag: Tag
    ) -> AsyncIterator[Explanation]:
        """Explain a tag that nobody ever wrote, from what it would be made of."""
        for rule in rules:
            if not may_lead_to(rule, repository):
                continue
            try:
                for source in await self._sources(rule, repository):
                    yield await self._unwritten(rule, source, repository, tag)
            except ReplicatorError as error:
                why = f"cannot be told: {error}"
                yield Explanation(rule.rule.name, rule.rule.source, False, why)

    async def _sources(
        self, rule: PreparedRule, destination: RepositoryName
    ) -> Sequence[RepositoryName]:
        """Return what *rule* copies to *destination*; the source is listed if names do not tell."""
        guessed = guessed_sources(rule, destination)
        if guessed or rule.source.repositories is not None:
            return guessed
        found = discover(rule.source, self._registries)
        return [source async for source in found if routes_to(rule, source, destination)]

    async def _unwritten(
        self, rule: PreparedRule, source: RepositoryName, destination: RepositoryName, tag: Tag
    ) -> Explanation:
        origin = await self._origin(rule, source, destination, tag)
        if origin is None:
            why = f"no tag of it becomes {tag}"
            return Explanation(rule.rule.name, str(source), False, why)
        explained = await self._as_source(rule, source, origin, only=(destination, tag))
        if not explained.selected:
            return explained
        try:
            await self._registries.repository(source).resolve(origin)
        except NotFound:
            return replace(explained, selected=False, reason="is not at the source")
        return explained

    async def _origin(
        self, rule: PreparedRule, source: RepositoryName, destination: RepositoryName, tag: Tag
    ) -> Tag | None:
        """Return the tag of *source* that would become *tag* of *destination*."""
        for route in routes_to(rule, source, destination):
            guess = guessed_tag(route, tag)
            known = rule.selector.literal_tags if guess is None else (guess,)
            if known is None:
                pages = self._registries.repository(source).list_tags()
                known = tuple([each async for page in pages for each in page])
            for found in becomes(rule, route, known, tag):
                return found
        return None

    async def _verdict(self, rule: PreparedRule, repository: RepositoryName, tag: Tag) -> Verdict:
        """Judge a tag; among all of its repository where the rule compares them."""
        selector = rule.selector
        by_name = selector.judge_name(SourceTag(tag, None))
        if not by_name.selected or not (selector.needs_all or selector.needs_creation):
            return by_name
        source = self._registries.repository(repository)
        listing = TagListing(source, selector, now=self._clock())
        async for verdicts in listing.batches():
            for verdict in verdicts:
                if verdict.tag.tag == tag:
                    return verdict
        if listing.error is not None:
            return Verdict(SourceTag(tag, None), False, f"cannot be told: {listing.error}")
        return Verdict(SourceTag(tag, None), False, "is not in the source's list of tags")

    async def _place(self, rule: str, destination: RepositoryName, tag: Tag) -> Place:
        notes = await self._notes.of_rule(rule)
        key = (destination, tag)
        refused = notes.refused.get(key)
        return Place(
            destination,
            tag,
            await self._row(destination, tag),
            notes.failing.get(key),
            notes.missing.get(key),
            refused.reason if refused else "",
            await self._history.last_action(destination, tag),
        )

    async def _row(self, destination: RepositoryName, tag: Tag) -> Published | None:
        rows = await self._ledger.published_tags({destination: [tag]})
        return rows.get((destination, tag))


def _wanted(rule: PreparedRule, repository: RepositoryName, verdict: Verdict) -> Sequence[Wanted]:
    try:
        return [route.wanted(verdict.tag, verdict.captures) for route in rule.routes(repository)]
    except (InvalidReference, KeyError):
        return []  # What is not selected has not captured what the template asks for.
