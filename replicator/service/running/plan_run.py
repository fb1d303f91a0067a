"""PlanRun: the actions of a plan, carried out as they were reviewed; and whether they still fit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, Final

from replicator.errors import NotFound, ReplicatorError
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.observation import DestinationTag, Presence, SourceTag
from replicator.planning.plan import Action, Decision
from replicator.planning.prepared import Wanted
from replicator.planning.rule import Rule
from replicator.service.looking.destination_view import UNKNOWN, DestinationView
from replicator.service.looking.observing import Goal
from replicator.service.outside.protocols import Ledger
from replicator.service.outside.registries import Registries
from replicator.service.records.plan_file import PlannedRule
from replicator.service.running.run_context import Handling, RunContext
from replicator.service.running.tag_run import PlannedCopy, TagRun
from replicator.store.documents import rule_to_document
from replicator.transfer.concurrency import together
from replicator.values import dataclass

_AT_ONCE: Final = 32
# What may differ between the rule of a plan and the rule now.
_OF_NO_MATTER: Final = frozenset({"enabled", "schedule", "timezone", "origin", "revision"})


@dataclass(frozen=True, slots=True)
class PlanRun:
    """Carries out the copies and removals of one rule's plan.

    *thorough* copies bring all of an image, whatever seems to be there.
    """

    actions: Sequence[Action]
    thorough: bool = False

    async def carry_out(self, context: RunContext) -> None:
        """Do what was reviewed and nothing else; what fails is in the journal."""
        copies = [each for each in self.actions if each.decision is Decision.COPY]
        context.journal.counts["selected"] += len(copies)
        async with asyncio.TaskGroup() as group:
            for _, together_copied in groupby(sorted(copies, key=_image), key=_image):
                actions = tuple(together_copied)
                await context.tags.acquire()
                task = group.create_task(self._copy(context, actions))
                task.add_done_callback(lambda _: context.tags.release())
        for action in self.actions:
            if action.decision is Decision.PRUNE:
                await context.pruning.remove(action)

    async def _copy(self, context: RunContext, actions: Sequence[Action]) -> None:
        """Copy one image to all the destinations that the plan has for it."""
        source, tag = actions[0].source, actions[0].source_tag
        if source is None or tag is None:
            return
        pinned = SourceTag(tag, actions[0].digest)
        copies = [
            PlannedCopy(goal, action) async for goal, action in _goals(context, actions, pinned)
        ]
        handling = replace(Handling.of_selected(context.rule), thorough=self.thorough)
        run = TagRun(context, context.sources.repository(source), handling, named=True)
        await run.copy_planned(pinned, copies)


async def changes_since(
    planned: Sequence[PlannedRule],
    rules: Mapping[str, Rule],
    registries: Registries,
    ledger: Ledger,
) -> list[str]:
    """Return what is no longer as it was when the plan was made, in words."""
    found = [line for plan in planned for line in _rule_changes(plan.rule, rules)]
    if found:
        return found
    slots = asyncio.Semaphore(_AT_ONCE)

    async def check(action: Action) -> str:
        async with slots:
            return await _tag_change(action, registries, ledger)

    actions = [
        action
        for plan in planned
        for action in plan.actions
        if action.decision in (Decision.COPY, Decision.PRUNE)
    ]
    return [line for line in await together(map(check, actions)) if line]


def _rule_changes(before: Rule, rules: Mapping[str, Rule]) -> list[str]:
    if before.name not in rules:
        return [f"rule {before.name!r} is gone"]
    old, new = (rule_to_document(rule) for rule in (before, rules[before.name]))
    return [
        f"rule {before.name!r}: {key} was {_shown(was)} and is {_shown(now)}"
        for key, was, now in _differences(old, new)
    ]


def _shown(value: Any) -> str:
    """Write a value as a file has it; what JSON and TOML have in common is all there is."""
    return "not set" if value is None else json.dumps(value, ensure_ascii=False)


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    found: list[tuple[str, Any, Any]] = []
    for key in old.keys() - _OF_NO_MATTER:
        if isinstance(old[key], Mapping):
            inside = _differences(old[key], new[key])
            found += [(f"{key}.{name}", was, now) for name, was, now in inside]
        elif old[key] != new[key]:
            found.append((key, old[key], new[key]))
    return sorted(found, key=lambda each: each[0])


async def _tag_change(action: Action, registries: Registries, ledger: Ledger) -> str:
    """Say what is no longer as it was about one tag; empty if nothing is."""
    name, found = f"{action.destination}:{action.tag}", action.found
    if action.decision is Decision.COPY and action.digest is None:
        return f"{name}: the plan does not say which digest to copy"
    view = DestinationView(registries.repository(action.destination))
    try:
        seen = await view.look(action.tag)
        if action.decision is Decision.PRUNE and (
            why := await _why_not(action, registries, ledger)
        ):
            return f"{name}: {why}"
    except ReplicatorError as error:
        return f"{name}: cannot be checked: {error}"
    if found is None or UNKNOWN.presence in (found.presence, seen.presence):
        is_vague = action.decision is Decision.PRUNE
        return f"{name}: nobody could see what it is now" if is_vague else ""
    if seen == found or seen.digest == action.digest is not None:
        return ""
    return f"{name} was {_described(found)} and is {_described(seen)}"


async def _why_not(action: Action, registries: Registries, ledger: Ledger) -> str:
    """Say why a tag must not be removed after all; empty if it may be."""
    row = (await ledger.published_tags({action.destination: [action.tag]})).get(
        (action.destination, action.tag)
    )
    if row is None or action.found is None or row.digest != action.found.digest:
        return "it is not what was published there"
    repository, _, tag = row.source.rpartition(":")
    try:
        await registries.repository(RepositoryName.parse(repository)).resolve(Tag(tag))
    except NotFound:
        return ""
    return f"the source has {row.source} again"


def _described(tag: DestinationTag) -> str:
    if tag.presence is Presence.ABSENT:
        return "absent"
    return str(tag.digest)[:19] if tag.digest else "unknown"


def _image(action: Action) -> tuple[str, str]:
    return f"{action.source}:{action.source_tag}", str(action.digest)


async def _goals(
    context: RunContext, actions: Sequence[Action], pinned: SourceTag
) -> AsyncIterator[tuple[Goal, Action]]:
    for action in actions:
        if action.source is not None:
            view = context.view(action.destination)
            rows = await context.rows.published(action.destination, [action.tag])
            wanted = Wanted(action.source, pinned, action.destination, action.tag)
            yield Goal(wanted, view, row=rows.get(action.tag)), action
