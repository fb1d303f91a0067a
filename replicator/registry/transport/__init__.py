"""The HTTP/1.1 transport of our own, behind httpx's types.

Sockets are read and written straight from the event loop's readiness callbacks, without asyncio's
transports in between: see docs/performance.md, "Transport", for what was measured.
"""

from replicator.registry.transport.http1 import Http1Transport
from replicator.registry.transport.tls import make_ssl_context, shared_ssl_context

__all__ = ["Http1Transport", "make_ssl_context", "shared_ssl_context"]
