"""Link headers: which page comes next. (RFC 8288)"""

from __future__ import annotations

import re
from typing import Final

# A target may have commas, a quoted value commas and semicolons.
_NAME: Final = r'[^\s=;,"]+'
_TEXT: Final = r'"(?:\\.|[^"\\])*"|[^\s;,"]*'
_VALUE: Final = rf"<([^<>]*)>\s*((?:;\s*{_NAME}\s*(?:=\s*(?:{_TEXT}))?\s*)*)"
_PARAMETER: Final = rf";\s*({_NAME})\s*(?:=\s*({_TEXT}))?"
# Characters of a header that are looked at; no registry's link is nearly as long.
_LONGEST: Final = 8192


def next_link(header: str) -> str | None:
    """Return the target of ``rel="next"``, None if there is none.

    Several values may stand in one header, and Harbor puts ``rel="prev"`` first.
    """
    for target, parameters in re.findall(_VALUE, header[:_LONGEST]):
        for name, text in re.findall(_PARAMETER, parameters):
            if name.lower() == "rel" and "next" in text.strip('"').lower().split():
                return str(target)
    return None
