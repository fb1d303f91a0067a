"""Sending a blob into an upload, and going on when that breaks."""

from __future__ import annotations

from contextlib import aclosing
from typing import Final

from replicator.errors import RateLimited, RegistryError, TransferFailed
from replicator.events import BlobOutcome
from replicator.registry.protocols import RepositoryWriter, Upload
from replicator.transfer.feed import Feed
from replicator.transfer.sides import DESTINATION

# An upload may break any number of times as long as it gets on; without progress, so often.
_TRIES: Final = 4
# In bytes. Less than this is no progress: a link that yields a few bytes a time never ends.
_PROGRESS: Final = 1024 * 1024


async def send_blob(feed: Feed, upload: Upload, writer: RepositoryWriter) -> None:
    """Send the blob of *feed* into *upload*.

    What the session kept of a broken upload is not sent again, where the registry says how much
    that is; else a new session is opened. Errors of the source end it at once, as the reader
    has done its own repeating. Raises TransferFailed.
    """
    offset, best, tries = 0, 0, 1
    while True:
        try:
            async with aclosing(feed.pieces(offset)) as pieces:
                await upload.send(pieces, offset=offset)
            return
        except RegistryError as error:
            # A registry that says "slow down" beyond the registry layer's patience is left alone.
            if not error.retryable or isinstance(error, RateLimited) or tries == _TRIES:
                raise TransferFailed(str(error), side=DESTINATION, attempts=tries) from error
        # An answer may be lost after the registry has stored the blob.
        if feed.exhausted and await writer.has_blob(feed.blob):
            return
        received = await upload.received()
        if received is None or received > feed.offset:
            offered = await writer.offer_blob(feed.blob)
            if isinstance(offered, BlobOutcome):
                return
            upload, received = offered, 0
        tries = 1 if received >= best + _PROGRESS else tries + 1
        offset, best = received, max(best, received)
