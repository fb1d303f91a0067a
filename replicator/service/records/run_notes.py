"""RunNotes: what a run knows, and learns, of tags that are not simply in step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Final

from replicator.errors import PullsSpent, ReplicatorError, StoreError, Unauthorized
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.backoff import Failing, next_try_at
from replicator.planning.content import Refused
from replicator.planning.plan import Action
from replicator.planning.pruning import Missing
from replicator.service.outside.protocols import Notes
from replicator.store.records import NoteChanges, RuleNotes, TagKey
from replicator.transfer.sides import root_of

_NOTHING: Final = RuleNotes()


class RunNotes:
    """The notes on the tags of one rule; what is new is written by ``flush``.

    With *retry*, no tag waits because it failed before.
    """

    def __init__(
        self, rule: str, notes: Notes, *, clock: Callable[[], datetime], retry: bool
    ) -> None:
        self._rule = rule
        self._notes = notes
        self._clock = clock
        self._retry = retry
        self._known = _NOTHING
        self._seen: set[TagKey] = set()
        self._failing: dict[TagKey, Failing | None] = {}
        self._missing: dict[TagKey, Missing | None] = {}
        self._refused: dict[TagKey, Refused | None] = {}

    async def load(self) -> None:
        """Read what earlier runs have noted. Raises StoreError."""
        self._known = await self._notes.of_rule(self._rule)

    def know(self, known: RuleNotes) -> None:
        """Go by what was read for another part of the same run."""
        self._known = known

    @property
    def seen(self) -> Collection[TagKey]:
        """The failing tags that the rule has come across."""
        return self._seen

    def see(self, tags: Collection[TagKey]) -> None:
        """Count failing tags as come across by other parts of the run."""
        self._seen.update(tags)

    @property
    def missing_tags(self) -> Mapping[TagKey, Missing]:
        """The tags that earlier runs found to be gone from the source."""
        return self._known.missing

    def held(self, destination: RepositoryName, tag: Tag) -> Failing | None:
        """Return the note on a tag that failed and is not due for another try."""
        failing = self._known.failing.get((destination, tag))
        if failing is not None:
            self._seen.add((destination, tag))
        if failing is None or self._retry or not failing.waits(self._clock()):
            return None
        return failing

    def failed(self, action: Action, error: ReplicatorError, *, side: str, run: str) -> None:
        """Note one more failure of a tag."""
        key = (action.destination, action.tag)
        before, now = self._known.failing.get(key), self._clock()
        failures = before.failures + 1 if before else 1
        self._failing[key] = Failing(
            *key,
            self._rule,
            f"{action.source}:{action.source_tag}",
            failures,
            error.kind,
            str(error),
            side,
            before.since if before else now,
            now,
            next_try_at(now, failures, own_fault=_is_own_fault(error)),
            run,
        )

    def is_well(self, destination: RepositoryName, tag: Tag) -> None:
        """Forget that a tag failed."""
        if (destination, tag) in self._known.failing:
            self._failing[destination, tag] = None

    def forget_unseen(self, *, run: str) -> None:
        """Forget that tags failed which the rule, all of it done, has not come across: they are
        gone from the source, or selected no longer. Those that failed in *run* it came across."""
        for key, failing in self._known.failing.items():
            if key not in self._seen and failing.run != run:
                self._failing.setdefault(key, None)

    def refusal(
        self, destination: RepositoryName, tag: Tag, digest: Digest, wanted: str
    ) -> str | None:
        """Return why the content *digest* was turned down before; None if it was not."""
        refused = self._known.refused.get((destination, tag))
        if refused is None or (refused.source_digest, refused.wanted) != (digest, wanted):
            return None
        return refused.reason

    def refused(self, note: Refused) -> None:
        """Note that a tag was turned down for its content."""
        self._refused[note.destination, note.tag] = note

    def accepted(self, destination: RepositoryName, tag: Tag) -> None:
        """Forget that a tag was turned down."""
        if (destination, tag) in self._known.refused:
            self._refused[destination, tag] = None

    def is_missing(self, note: Missing) -> None:
        """Note that a tag is gone from the source."""
        self._missing[note.destination, note.tag] = note

    def has_returned(self, destination: RepositoryName, tag: Tag) -> None:
        """Forget that a tag was gone."""
        if (destination, tag) in self._known.missing:
            self._missing[destination, tag] = None

    async def flush(self) -> None:
        """Write what is new; kept for the next time when that fails. Raises StoreError."""
        failing, missing, refused = self._failing, self._missing, self._refused
        if not (failing or missing or refused):
            return
        self._failing, self._missing, self._refused = {}, {}, {}
        try:
            await self._notes.change(
                self._rule,
                NoteChanges(
                    [note for note in failing.values() if note],
                    [key for key, note in failing.items() if note is None],
                    [note for note in missing.values() if note],
                    [key for key, note in missing.items() if note is None],
                    [note for note in refused.values() if note],
                    [key for key, note in refused.items() if note is None],
                ),
            )
        except BaseException:
            self._failing = failing | self._failing
            self._missing = missing | self._missing
            self._refused = refused | self._refused
            raise


def _is_own_fault(error: ReplicatorError) -> bool:
    """Say whether a tag failed by itself, and not for a registry, login, quota or database."""
    root = root_of(error)
    return not (root.retryable or isinstance(root, Unauthorized | PullsSpent | StoreError))
