"""How do I speak to one registry? The only folder that knows HTTP."""

import sys

# Importing httpx imports its command line, which imports rich, click and pygments: as much as all
# the rest of httpx. Nobody here needs it, and httpx does without it where it cannot be imported.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
