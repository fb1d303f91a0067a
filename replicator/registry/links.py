"""Link headers: which page comes next. (RFC 8288)"""

from __future__ import annotations

import re
from typing import Final

# <target> and its parameters. A target may have commas, a quoted value commas and semicolons.
_PARAMETER: Final = r';\s*[^\s=;,"]+\s*(?:=\s*(?:"[^"]*"|[^\s;,"]*))?\s*'
_VALUE: Final = re.compile(rf"<([^<>]*)>\s*((?:{_PARAMETER})*)")
_REL: Final = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]*))', re.IGNORECASE)
# Characters of a header that are looked at; no registry's link is nearly as long.
_LONGEST: Final = 8192


def next_link(header: str) -> str | None:
    """Return the target of ``rel="next"``, None if there is none.

    Several values may stand in one header, and Harbor puts ``rel="prev"`` first.
    """
    for target, parameters in _VALUE.findall(header[:_LONGEST]):
        match = _REL.search(parameters)
        relations = (match[1] or match[2] or "") if match else ""
        if "next" in relations.lower().split():
            return str(target)
    return None
