"""Where the program starts: ``replicate``, and ``python -m replicator``."""

from __future__ import annotations

import gc
import sys

# Loading the modules makes 100,000 objects that stay; to look through them every 700, as is usual,
# costs 0.06 s and finds nothing. It has to be said before the first of ours is imported.
_COLLECTIONS = (150_000, 20, 50)

# CPython keeps the frames of calls in chunks of 16 KiB, and gives each back as soon as its last
# frame returns. Whoever calls functions in a loop where a chunk ends pays 10 µs for each call
# instead of 0.03: that were a thousand calls of each start, and at another depth it would be all
# of a run. A function that needs much room gets a chunk that is larger; so many slots make it
# 1 MiB, of which the last quarter is left for all that it calls.
_ROOM = 100_000

# 128 and the number of the signal.
_INTERRUPTED = 130


def main() -> None:
    """Run the command line; see ``replicator.cli.main``."""
    gc.set_threshold(*_COLLECTIONS)
    try:
        from replicator.cli.main import main

        main()
    except KeyboardInterrupt:
        # Before there was a command, or after its end; see replicator.cli.interruption for others.
        sys.stderr.write("replicate: interrupted\n")
        sys.exit(_INTERRUPTED)


main.__code__ = main.__code__.replace(co_stacksize=_ROOM)

if __name__ == "__main__":
    main()
