"""Is the schema of a database the one this program knows? Answered without loading Alembic."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

from replicator.errors import SchemaMismatch

# Every revision that a database may be at, oldest first; a test compares it with migrations/.
REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0011", "0012", "0008")
HEAD: Final = REVISIONS[-1]

# Alembic's, which says at which revision the tables are.
VERSION_TABLE: Final = "alembic_version"
# Ours at every revision, under a name that other programs hardly have.
OWN_TABLE: Final = "published_tag"

_REVISION: Final = re.compile(r"[0-9]{4}")


def require_known(
    found: str | None, database: str, *, revisions: Sequence[str] = REVISIONS
) -> None:
    """Raise SchemaMismatch when a newer program made the schema."""
    if found is not None and found not in revisions:
        raise SchemaMismatch(
            f"{database} was made by a newer version of replicate (its schema is {found}, "
            f"this version knows up to {revisions[-1]}); use that version"
        )


def require_current(
    found: str | None, database: str, *, revisions: Sequence[str] = REVISIONS
) -> None:
    """Raise SchemaMismatch, naming the way out, unless the schema is this program's."""
    require_known(found, database, revisions=revisions)
    if found is None:
        raise SchemaMismatch(f"{database} has no tables yet; run `replicate db upgrade`")
    if found != revisions[-1]:
        raise SchemaMismatch(
            f"{database} has the older schema {found}, this version needs {revisions[-1]}; "
            "run `replicate db upgrade`"
        )


def require_own(tables: Collection[str], database: str) -> None:
    """Raise SchemaMismatch when a file has *tables*, but not those of this program."""
    others = set(tables) - {VERSION_TABLE}
    if others and not {VERSION_TABLE, OWN_TABLE} <= set(tables):
        raise _another_programs(database, "file")


def require_own_revision(found: str | None, database: str, *, kind: str) -> None:
    """Raise SchemaMismatch when Alembic's table is there, but with no revision such as ours."""
    if found is not None and not _REVISION.fullmatch(found):
        raise _another_programs(database, kind)


def _another_programs(database: str, kind: str) -> SchemaMismatch:
    return SchemaMismatch(f"{database} holds the tables of another program; choose another {kind}")
