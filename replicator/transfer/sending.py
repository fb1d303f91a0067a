"""Sending a blob into an upload, and going on when that breaks."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from typing import Final

from replicator.errors import RateLimited, RegistryError, TransferFailed
from replicator.events import BlobOutcome
from replicator.registry.protocols import RepositoryWriter, Upload
from replicator.transfer.bookmarks import Bookmark
from replicator.transfer.feed import Feed
from replicator.transfer.sides import DESTINATION

# An upload may break any number of times as long as it gets on; without progress, so often.
_TRIES: Final = 4
# In bytes. Less than this is no progress: a link that yields a few bytes a time never ends.
_PROGRESS: Final = 1024 * 1024


async def send_blob(
    feed: Feed, upload: Upload, writer: RepositoryWriter, bookmark: Bookmark, *, offset: int = 0
) -> None:
    """Send the blob of *feed* into *upload*, which has *offset* bytes of it.

    What the session kept of a broken upload is not sent again, where the registry says how much
    that is; else a new session is opened. Errors of the source end it at once, as the reader
    has done its own repeating. Raises TransferFailed; *bookmark* then says where it goes on.
    """
    best, tries = offset, 1
    while True:
        await bookmark.put(upload, offset)
        try:
            async with aclosing(feed.pieces(offset)) as pieces:
                await upload.send(pieces, offset=offset, confirmed=partial(bookmark.put, upload))
            return await bookmark.remove()
        except RegistryError as error:
            # A registry that says "slow down" beyond the registry layer's patience is left alone.
            if not error.retryable or isinstance(error, RateLimited) or tries == _TRIES:
                raise TransferFailed(str(error), side=DESTINATION, attempts=tries) from error
        # An answer may be lost after the registry has stored the blob.
        if feed.exhausted and await writer.has_blob(feed.blob):
            return await bookmark.remove()
        received = await upload.received()
        if received is None or received > feed.offset:
            offered = await writer.offer_blob(feed.blob)
            if isinstance(offered, BlobOutcome):
                return await bookmark.remove()
            upload, received = offered, 0
        tries = 1 if received >= best + _PROGRESS else tries + 1
        offset, best = received, max(best, received)
