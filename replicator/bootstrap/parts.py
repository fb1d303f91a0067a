"""A role's part in serving."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from replicator.values import dataclass

if TYPE_CHECKING:
    from replicator.service.scheduling.heeding import Act
    from replicator.service.scheduling.serving import Loop


@dataclass(frozen=True, slots=True)
class Part:
    """What goes on in a role, as ``Serving`` takes it.

    *acts* are done when a notice comes, and *hearers* are told what it says.
    """

    starting: Sequence[Loop] = ()
    lasting: Sequence[Loop] = ()
    acts: Mapping[str, Act] = field(default_factory=dict)
    hearers: Sequence[Callable[[str], None]] = ()
