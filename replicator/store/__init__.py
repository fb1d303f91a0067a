"""What do we remember? Tables, migrations and every query."""

import sys
from types import ModuleType


class _LeftOut(ModuleType):
    """A module whose names are imported along with others, and used by nobody."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


# Importing SQLAlchemy's connections for asyncio imports its sessions, too, and with them the whole
# ORM: 0.07 s of CPU, a quarter of all that a command needs for SQL. Nobody here maps objects.
for _sessions in ("sqlalchemy.ext.asyncio.session", "sqlalchemy.ext.asyncio.scoping"):
    sys.modules.setdefault(_sessions, _LeftOut(_sessions))
