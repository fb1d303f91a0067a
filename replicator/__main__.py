"""Where the program starts: ``replicate``, and ``python -m replicator``."""

from __future__ import annotations

import gc

# Loading the modules makes 100,000 objects that stay; to look through them every 700, as is usual,
# costs 0.06 s and finds nothing. It has to be said before the first of ours is imported.
_COLLECTIONS = (150_000, 20, 50)


def main() -> None:
    """Run the command line; see ``replicator.cli.main``."""
    gc.set_threshold(*_COLLECTIONS)
    from replicator.cli.main import main

    main()


if __name__ == "__main__":
    main()
